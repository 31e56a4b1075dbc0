/** Reads where the runtime places the operators of each network on WebGPU, on the software device. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { compile } from "../../tools/compile.mjs";
import { inRepository } from "../../tools/paths.ts";
import { softwareGpu } from "../../tools/software-gpu.ts";
import type { Placement } from "./placement.ts";

/** Of each family and each form of it, a small checkpoint; that of the first has matrices wide enough for few bits. */
const CHECKPOINTS = ["sharded", "klein-plain", "klein-plain-cached"] as const;

const TIMEOUT_MS = 900_000;

/**
 * Of all of `CHECKPOINTS`, in a process of its own, which alone has the device: what its kernels take to compile is spent
 * once.
 * @throws Error with what the process said, if a network does not load or run, or if there is no software device
 */
export async function measurePlacements(): Promise<Placement[]> {
  const bundle = await compile(inRepository("scripts", "placement", "process.ts"));
  const { stdout } = await promisify(execFile)(process.execPath, [bundle, ...CHECKPOINTS], {
    env: softwareGpu(),
    timeout: TIMEOUT_MS,
  });
  return stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Placement);
}
