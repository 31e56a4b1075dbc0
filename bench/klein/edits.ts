/** Whole edits by Retouch, in a process of its own, with the weights in few bits. */
import { existsSync, rmSync } from "node:fs";
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { compile } from "../../tools/compile.mjs";
import { inRepository } from "../../tools/paths.ts";
import { rounded } from "../../tools/statistics.ts";
import { ENVIRONMENT, runForJson } from "../full-size/child.ts";
import { say } from "../full-size/comparison.ts";
import { checkDisk } from "../full-size/disk.ts";
import type { Kind } from "../full-size/options.ts";
import { secondsSince } from "../full-size/timed-run.ts";
import { peakTreeBytes } from "../memory.ts";
import { writeSource } from "../pictures.ts";
import { retouchSide } from "../sides/retouch.ts";
import { type EditTimes, Side } from "../sides/side.ts";
import { type Bench, fileIn } from "./bench.ts";
import { checkpointWith, networkBytes } from "./checkpoint.ts";
import { flopsPerStep } from "./inputs.ts";
import type { LoadAnswer, LoadOrder } from "./load-process.ts";
import { MEMORY_AIMS } from "./options.ts";

/** Longer than any text that is read: the number of tokens counts. */
const PROMPT = "Put the bird on a cloud in outer space and leave everything else as it is. ".repeat(40);
const PIXELS_PER_TOKEN = 16;

export interface EditReport {
  /** The conversion of the whole checkpoint by `retouch quantize`; null where it was there already. */
  convertSeconds: number | null;
  /** From a warm cache, by the network's name. */
  loadSeconds: LoadAnswer;
  /** From the start of the process until it takes an edit. */
  startSeconds: number;
  /** The first edit, with everything that it loads. */
  seconds: number;
  secondsPerStep: number;
  gflops: number;
  /** The same again with another seed. */
  again: { seconds: number; secondsPerStep: number };
  /** What the engine may take. */
  memoryLimit: number;
  /** High-water mark of the process tree after both edits, mapped files included; null where there is no `/proc`. */
  peakBytes: number | null;
}

export async function measureEdits(bench: Bench, kind: Kind): Promise<EditReport> {
  const { size, numSteps, threads, signal } = bench;
  const checkpoint = await checkpointWith(bench);
  const cacheFolder = fileIn(bench, `cache-${kind}`);
  const convertSeconds = await convert(bench, kind, { checkpoint, cacheFolder });
  say(`${kind}: loading the networks`);
  const bundle = await compile(inRepository("bench", "klein", "load-process.ts"));
  const loading: LoadOrder = { checkpoint, cacheFolder, kind, threads };
  const loadSeconds = await runForJson<LoadAnswer>(
    process.execPath,
    [bundle, JSON.stringify(loading)],
    signal,
  );

  say(`${kind}: two edits of ${numSteps} steps`);
  const memoryLimit = MEMORY_AIMS[kind];
  const settings = { checkpoint, threads, weights: kind, cacheFolder, memoryLimit };
  const side = await Side.start({ ...(await retouchSide(settings)), env: ENVIRONMENT });
  try {
    const edge = size.latentSide * PIXELS_PER_TOKEN;
    const image = fileIn(bench, "source.png");
    await writeSource(image, { width: edge, height: edge });
    const order = {
      image,
      prompt: PROMPT,
      width: edge,
      height: edge,
      steps: numSteps,
      output: fileIn(bench, `${kind}.png`),
    };
    const first = await side.edit({ ...order, seed: 1 });
    const second = await side.edit({ ...order, seed: 2 });
    const perStep = ({ denoiseSeconds }: EditTimes): number => rounded(denoiseSeconds / numSteps);
    return {
      convertSeconds,
      loadSeconds,
      startSeconds: rounded(side.startSeconds),
      seconds: rounded(first.seconds),
      secondsPerStep: perStep(first),
      gflops: rounded(flopsPerStep(bench.sizes.transformer, size) / perStep(first) / 1e9),
      again: { seconds: rounded(second.seconds), secondsPerStep: perStep(second) },
      memoryLimit,
      peakBytes: peakTreeBytes(side.pid),
    };
  } finally {
    await side.close();
    if (!bench.isKept) rmSync(cacheFolder, { recursive: true });
  }
}

/** @returns seconds */
async function convert(
  bench: Bench,
  kind: Kind,
  { checkpoint, cacheFolder }: { checkpoint: string; cacheFolder: string },
): Promise<number | null> {
  if (existsSync(cacheFolder)) return null;
  // A number of 8 bits has half the bytes of one in bfloat16; what stays in more bits takes some more.
  await checkDisk(bench.folder, networkBytes(bench) * { int8: 0.65, int4: 0.45 }[kind]);
  say(`${kind}: converting the checkpoint`);
  const started = performance.now();
  const args = [inRepository("bin", "retouch.js"), "quantize", "--weights", kind, "--checkpoint", checkpoint];
  const env = { ...ENVIRONMENT, RETOUCH_CACHE_DIR: cacheFolder };
  try {
    await promisify(execFile)(process.execPath, [...args, "--quiet"], { env, signal: bench.signal });
  } catch (error) {
    rmSync(cacheFolder, { recursive: true, force: true });
    throw error;
  }
  return rounded(secondsSince(started));
}
