import { readFile } from "node:fs/promises";
import { createSafetyChecker } from "../../src/safety/checker.ts";
import { decodePicture } from "../../src/images/decode.ts";
for (let i = 0; i < 3; i++) {
  const t0 = performance.now();
  const c = await createSafetyChecker({ threads: 2 });
  console.log("load", performance.now() - t0);
  for (const f of process.argv.slice(2)) {
    const p = await decodePicture(await readFile(f));
    const t = performance.now();
    const r = await c.check(p);
    console.log(
      f.split("/").at(-1),
      p.width,
      (performance.now() - t).toFixed(1),
      Object.entries(r.scores)
        .map(([k, v]) => k + " " + v.toFixed(4))
        .join(" "),
    );
  }
  await c.close();
}
