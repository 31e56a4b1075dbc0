/** The GPU benchmark's programs, for a machine with neither this repository's packages nor a network. */
import { cp } from "node:fs/promises";
import path from "node:path";
import * as esbuild from "esbuild";
import { inRepository, ROOT } from "../../tools/paths.ts";

/** Packages with machine code, which no bundle can hold. */
const NATIVE = ["onnxruntime-node", "sharp"];

/** Writes `run.mjs` and `step-process.mjs` into `folder`/programs, each one file with everything of src/ in it. */
export async function bundlePrograms(folder: string): Promise<void> {
  await esbuild.build({
    entryPoints: [
      inRepository("bench", "gpu", "run.ts"),
      inRepository("bench", "full-size", "step-process.ts"),
    ],
    entryNames: "[name]",
    outdir: path.join(folder, "programs"),
    outExtension: { ".js": ".mjs" },
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node20",
    external: NATIVE,
    sourcemap: "inline",
    logLevel: "warning",
    absWorkingDir: ROOT,
    // CommonJS packages call `require` for Node's own modules.
    banner: {
      js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);',
    },
  });
  // This package's version is read from there.
  await cp(inRepository("package.json"), path.join(folder, "package.json"));
}
