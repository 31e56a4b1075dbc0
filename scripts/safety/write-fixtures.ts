/**
 * Writes what nsfwjs itself says about the test's images: `node scripts/run-ts.mjs scripts/safety/write-fixtures.ts [FILE]`.
 * It installs nsfwjs and TensorFlow.js, 300 MB, in a temporary folder, and takes TensorFlow's own JavaScript kernels.
 */
import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { comparedPictures } from "../../tools/safety-pictures.ts";
import { NSFWJS } from "./nsfwjs.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const TARGET = path.join(ROOT, "test", "fixtures", "safety.json");
const TENSORFLOW = "@tensorflow/tfjs@4.22.0";

/** As much of the two packages as is used here. */
interface Tensorflow {
  setBackend(name: "cpu"): Promise<boolean>;
  tensor3d(data: Int32Array, shape: readonly number[], dtype: "int32"): unknown;
}
interface Nsfwjs {
  load(
    model: string,
    options: { size: number; type: "graph" },
  ): Promise<{ classify(picture: unknown): Promise<{ className: string; probability: number }[]> }>;
}

const folder = await mkdtemp(path.join(tmpdir(), "retouch-nsfwjs-"));
try {
  await writeFile(path.join(folder, "package.json"), "{}");
  await promisify(execFile)("npm", ["install", "--no-audit", NSFWJS, TENSORFLOW, "buffer@6.0.3"], {
    cwd: folder,
  });
  const require = createRequire(path.join(folder, "package.json"));
  const tensorflow = require("@tensorflow/tfjs") as Tensorflow;
  const nsfwjs = require("nsfwjs") as Nsfwjs;
  await tensorflow.setBackend("cpu");
  const model = await nsfwjs.load("MobileNetV2Mid", { size: 224, type: "graph" });

  const scores: Record<string, Record<string, number>> = {};
  for (const [name, { width, height, data }] of await comparedPictures(ROOT)) {
    const classes = await model.classify(
      tensorflow.tensor3d(Int32Array.from(data), [height, width, 3], "int32"),
    );
    const byName = classes.toSorted((a, b) => (a.className < b.className ? -1 : 1));
    scores[name] = Object.fromEntries(byName.map(({ className, probability }) => [className, probability]));
  }
  const file = path.resolve(process.argv[2] ?? TARGET);
  await writeFile(
    file,
    `${JSON.stringify({ model: "MobileNetV2Mid", packages: [NSFWJS, TENSORFLOW], scores }, null, 2)}\n`,
  );
} finally {
  await rm(folder, { recursive: true, force: true });
}
