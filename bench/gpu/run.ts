/**
 * The stages of the GPU benchmark, on the machine with the GPU. Each leaves its results in the folder, so that one command
 * can run some of them and the next the others. Prints what the last stage found as JSON.
 */
import { mkdir, readFile, statfs, writeFile } from "node:fs/promises";
import path from "node:path";
import { messageOf } from "../../src/errors.ts";
import { flopsPerStep } from "../../src/pipelines/flux1-kontext/components.ts";
import { agreementOf } from "../full-size/agreement.ts";
import { runForJson } from "../full-size/child.ts";
import { diffusersConfig } from "../full-size/diffusers-config.ts";
import { fluxInputs, readFloats, writeStepInputs } from "../full-size/step-inputs.ts";
import type { StepAnswer, StepOrder } from "../full-size/step-process.ts";
import { watchGpuMemory } from "./gpu-memory.ts";
import { type Options, parseOptions, type Stage } from "./options.ts";
import { measureParity, type ParitySide } from "./parity.ts";
import { type Found, reportOf, type Side } from "./report.ts";

const SEED = 1;
/**
 * diffusers multiplies them by 1000 in the type that it computes in. bfloat16 holds these exactly even then; with others
 * its embeddings would be those of another noise level, to which random weights are not robust.
 */
const EXACT = { sigma: 0.5, guidance: 2 };
const SHARED_MEMORY = "/dev/shm";
/** Bytes per weight: two for the file, and as much again for a process's copy in memory. */
const ROOM = 4;

interface TorchAnswer {
  gpu: string | null;
  peakTflops: number;
  types: Record<string, { seconds: number[]; peakBytes: number | null } | { error: string }>;
}

const signal = new AbortController().signal;
const options = readOptions();
const { config, size, device, types, folder, repository, python, runs, threads } = options;
const results = path.join(folder, "results");
const inputs = path.join(folder, "inputs.bin");
const velocityOf = (side: string): string => path.join(folder, `velocity-${side}.bin`);
const modelConfig = {
  ...diffusersConfig(config),
  num_layers: config.numDoubleBlocks,
  num_single_layers: config.numSingleBlocks,
};
const images = (size.latentSide / 2) ** 2;

const RUN: Readonly<Record<Stage, () => Promise<unknown>>> = {
  parity: () => measureParity(options, (name, bytes) => writeFile(path.join(results, name), bytes)),
  weights: drawWeights,
  pytorch: runTorch,
  step: runSteps,
  report: async () => reportOf(await collected(), await stored<ParitySide[]>("parity")),
};

async function drawWeights(): Promise<object> {
  await writeStepInputs(inputs, fluxInputs(config), size, EXACT);
  const output = await weightsFile();
  const order = { config: modelConfig, device: types.torch, seed: SEED, output };
  return { output, ...(await runPython<object>("weights.py", order)) };
}

/** The file is in memory where there is room, since a borrowed disk may be slow. */
async function weightsFile(): Promise<string> {
  const known = await stored<{ output: string }>("weights");
  if (known) return known.output;
  const { bavail, bsize } = await statfs(SHARED_MEMORY).catch(() => ({ bavail: 0, bsize: 0 }));
  // 12 billion weights of two bytes, or next to none.
  const wanted = options.isSmall ? Infinity : ROOM * 12e9;
  const at = bavail * bsize > wanted ? path.join(SHARED_MEMORY, "retouch-gpu") : folder;
  await mkdir(at, { recursive: true });
  return path.join(at, "weights.safetensors");
}

async function runTorch(): Promise<object> {
  const timed = "bfloat16";
  const outputs = { float32: velocityOf("float32"), [timed]: velocityOf(timed) };
  const watch = watchGpuMemory();
  try {
    const order = {
      weights: await weightsFile(),
      inputs,
      config: modelConfig,
      ...size,
      device: types.torch,
      runs,
      peakSide: options.peakSide,
      outputs,
      timed: [timed],
    };
    return await runPython<TorchAnswer>("torch_side.py", order);
  } finally {
    await watch.end();
  }
}

async function runSteps(): Promise<object> {
  const sides: Record<string, object> = {};
  for (const computeType of types.steps) {
    const order: StepOrder = {
      weights: await weightsFile(),
      isConverted: false,
      config,
      ...size,
      inputs,
      output: velocityOf(`retouch-${computeType}`),
      runs: runs + 1,
      threads,
      device,
      computeType,
    };
    const watch = watchGpuMemory();
    try {
      const answer = await runForJson<StepAnswer>(
        process.execPath,
        [options.stepProcess, JSON.stringify(order)],
        signal,
      );
      sides[computeType] = { ...answer, gpuBytes: await watch.end() };
    } catch (error) {
      await watch.end();
      sides[computeType] = { error: messageOf(error) };
    }
    await save("step", sides);
  }
  return sides;
}

/** What the stages pytorch and step left, side by side. */
async function collected(): Promise<Found> {
  const torch = await stored<TorchAnswer>("pytorch");
  const steps =
    await stored<Record<string, (StepAnswer & { gpuBytes: number | null }) | { error: string }>>("step");
  if (!torch || !steps) throw new Error("The stages pytorch and step come before report.");
  const reference = await readFloats(velocityOf("float32")).catch(() => undefined);
  const agreement = async (side: string): Promise<ReturnType<typeof agreementOf> | null> =>
    reference ? agreementOf(await readFloats(velocityOf(side)), reference) : null;
  const sides: Side[] = [];
  for (const [computeType, answer] of Object.entries(steps)) {
    const name = `Retouch, ${computeType}`;
    if ("error" in answer) sides.push({ name, error: answer.error });
    else {
      const { seconds: all, loadSeconds, gpuBytes, bytes: bytesPerStep } = answer;
      const agreed = await agreement(`retouch-${computeType}`);
      const seconds = all.slice(1);
      sides.push({ name, seconds, loadSeconds, gpuBytes, agreement: agreed, bytesPerStep });
    }
  }
  const name = "PyTorch (diffusers), bfloat16";
  const { bfloat16 } = torch.types;
  if (!bfloat16 || "error" in bfloat16) sides.push({ name, error: bfloat16?.error ?? "It was not run." });
  else {
    const { seconds, peakBytes } = bfloat16;
    sides.push({
      name,
      seconds: seconds.slice(1),
      gpuBytes: peakBytes,
      agreement: await agreement("bfloat16"),
    });
  }
  return {
    device,
    gpu: torch.gpu,
    peakTflops: torch.peakTflops,
    peakSide: options.peakSide,
    flopsPerStep: flopsPerStep(config, { text: size.textTokens, target: images, reference: images }),
    sides,
  };
}

function runPython<T>(script: string, order: object): Promise<T> {
  const file = path.join(repository, "bench", "gpu", script);
  return runForJson<T>(python, [file, JSON.stringify(order)], signal);
}

const fileOf = (stage: Stage): string => path.join(results, `${stage}.json`);

async function stored<T>(stage: Stage): Promise<T | null> {
  try {
    return JSON.parse(await readFile(fileOf(stage), "utf8")) as T;
  } catch {
    return null;
  }
}

async function save(stage: Stage, found: unknown): Promise<void> {
  await writeFile(fileOf(stage), `${JSON.stringify(found, null, 2)}\n`);
}

function readOptions(): Options {
  try {
    return parseOptions(process.argv.slice(2));
  } catch (error) {
    fail(error);
  }
}

/** Ends the process with a sentence. */
function fail(error: unknown): never {
  process.stderr.write(`bench: ${messageOf(error)}\n`);
  process.exit(1);
}

try {
  await mkdir(results, { recursive: true });
  let found: unknown;
  for (const stage of options.stages) {
    process.stderr.write(`bench: ${stage}\n`);
    found = await RUN[stage]();
    await save(stage, found);
  }
  process.stdout.write(`${JSON.stringify(found, null, 2)}\n`);
} catch (error) {
  fail(error);
}
