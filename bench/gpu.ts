/**
 * The published sizes on this machine's GPU, beside PyTorch on the same GPU: starts `gpu/run.ts` with what it needs of
 * this checkout. Usage: npm run bench:gpu -- [OPTIONS] [STAGE...], see README.md.
 */
import { spawnSync } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { compile } from "../tools/compile.mjs";
import { inRepository, ROOT } from "../tools/paths.ts";
import { findPython } from "../tools/python.ts";

const args = process.argv.slice(2);
const program = await compile(inRepository("bench", "gpu", "run.ts"));
const needs = [
  ["--repository", ROOT],
  ["--checkpoint", inRepository("checkpoints", "tiny")],
  ["--picture", inRepository("examples", "bluebird.png")],
  ["--step-process", await compile(inRepository("bench", "full-size", "step-process.ts"))],
  ["--python", findPython()],
].flat();
// A folder that is given is kept, so that its stages can be run one by one.
const folder = args.includes("--folder") ? undefined : await mkdtemp(path.join(tmpdir(), "retouch-gpu-"));
try {
  const place = folder === undefined ? [] : ["--folder", folder];
  const { status } = spawnSync(process.execPath, [program, ...needs, ...place, ...args], {
    stdio: "inherit",
  });
  process.exitCode = status ?? 1;
} finally {
  if (folder !== undefined) await rm(folder, { recursive: true, force: true });
}
