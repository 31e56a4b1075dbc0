/** Every block of docs/clients.md, run as it stands there but for the server's address. */
import { execFile } from "node:child_process";
import { copyFile, mkdir, readdir, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { pythonProgram, withoutPython } from "../../tools/python.ts";
import { pageOf } from "../documents/pages.ts";
import { root } from "../support/fixtures.ts";
import { environment, type Served, serve, untilReady } from "../support/served.ts";

const run = promisify(execFile);
const blocks = [...pageOf("docs/clients.md").matchAll(/```(js|python)\n([\s\S]*?)```/g)].map(
  ([, language, code]) => ({ language: language!, code: code! }),
);
/** Where the packages of this checkout are found; two of them have other names here. */
const folder = path.join(root, "node_modules", ".cache", `clients-page-${process.pid}`);
const NAMES = [
  [/from "ai"/, 'from "ai-7"'],
  [/from "openai"/, 'from "openai-7"'],
] as const;

describe("docs/clients.md", () => {
  let server: Served;
  beforeAll(async () => {
    await mkdir(folder, { recursive: true });
    server = await serve();
    await untilReady(server);
  });
  afterAll(async () => {
    await server.end("SIGTERM");
    await rm(folder, { recursive: true, force: true });
  });

  it("has blocks of every client", () => {
    expect(blocks.map(({ language }) => language)).toEqual([
      "js",
      "python",
      "js",
      "js",
      "js",
      "js",
      "python",
    ]);
  });

  for (const [index, { language, code }] of blocks.entries()) {
    it(`${index}: ${/^from .*|^import .* from "(?!node:).*|^import (?!\{).*/m.exec(code)?.[0]}`, async ({
      skip,
    }) => {
      const place = path.join(folder, String(index));
      await mkdir(place);
      await copyFile(path.join(root, "examples", "bluebird.png"), path.join(place, "bird.png"));
      let text = code.replaceAll("http://127.0.0.1:8000", server.address);
      for (const [own, here] of NAMES) text = text.replace(own, here);
      const env = environment({ RETOUCH_KEY: server.key });
      if (language === "js") {
        await writeFile(path.join(place, "example.mjs"), text);
        await run(process.execPath, ["example.mjs"], { cwd: place, env });
      } else {
        const kind = text.includes("runpod") ? "candidates" : "clients";
        skip(withoutPython(kind) !== undefined, withoutPython(kind));
        await writeFile(path.join(place, "example.py"), text);
        const { stdout } = await run(pythonProgram(kind), ["example.py"], { cwd: place, env });
        if (kind === "candidates") return expect(stdout).toMatch(/^http:\S+\/files\/\S+\n$/);
      }
      const made = (await readdir(place)).filter((name) => name.endsWith(".png") && name !== "bird.png");
      expect(made.length).toBeGreaterThan(0);
      for (const name of made) expect((await sharp(path.join(place, name)).metadata()).format).toBe("png");
    });
  }
});
