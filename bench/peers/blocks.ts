/**
 * The published transformer with one double and one single block, by Retouch, PyTorch and stable-diffusion.cpp on the same
 * weights, and the machine's own peaks beside them.
 */
import { existsSync } from "node:fs";
import { rename } from "node:fs/promises";
import path from "node:path";
import { messageOf } from "../../src/index.ts";
import { originalFluxLayout } from "../../src/models/layouts/original-flux.ts";
import { flopsPerStep } from "../../src/pipelines/flux1-kontext/components.ts";
import { compile } from "../../tools/compile.mjs";
import { inRepository } from "../../tools/paths.ts";
import { rounded, type Summary, summarize } from "../../tools/statistics.ts";
import { type Agreement, agreementOf } from "../full-size/agreement.ts";
import { runForJson } from "../full-size/child.ts";
import { withBlocks } from "../full-size/comparison.ts";
import { diffusersConfig } from "../full-size/diffusers-config.ts";
import { checkDisk } from "../full-size/disk.ts";
import { writeGguf } from "../full-size/gguf.ts";
import { FORMATS } from "../full-size/options.ts";
import { tryBuildFluxStep } from "../full-size/stable-diffusion-cpp.ts";
import { fluxInputs, readFloats, writeStepInputs } from "../full-size/step-inputs.ts";
import type { StepAnswer, StepOrder } from "../full-size/step-process.ts";
import { syntheticTransformer } from "../full-size/synthetic.ts";
import { writeConverted, writeFloats } from "../full-size/weight-file.ts";
import { measureByteProduct, measureGemm, measureTorch } from "../gemm-peak.ts";
import type { Bench } from "./part.ts";
import { rotated } from "./turns.ts";

export const BLOCK_SIDES = {
  int8: "Retouch, int8",
  fp32: "Retouch, fp32",
  torchBf16: "PyTorch, bf16",
  torchFp32: "PyTorch, fp32",
  q8: "stable-diffusion.cpp, q8_0",
  q4: "stable-diffusion.cpp, q4_0",
} as const;

export interface BlockSideReport {
  seconds: Summary;
  /** Billions of operations per second, of the median. */
  gflops: number;
  /** The highest of its processes; null where the system does not report it. */
  peakBytes: number | null;
  /** With PyTorch in float32. */
  agreement: Agreement | null;
}

/** The machine's fastest products in billions of operations per second: one number a round, the best of all squares. */
export interface Peaks {
  gemm: Summary;
  matmulInteger: Summary;
  torchFp32: Summary | { error: string };
  torchBf16: Summary | { error: string };
}

export interface BlocksReport {
  tokens: number;
  flops: number;
  sides: Record<string, BlockSideReport | { error: string }>;
  peaks: Peaks;
}

interface Run {
  seconds: number[];
  /** The processor's. */
  cpuSeconds: number[];
  peakBytes: number | null;
}

/** The first run of a process does not count. */
const RUNS_OF_A_PROCESS = 2;
const SEED = 1;

interface Turn {
  name: string;
  run(): Promise<Run>;
  output: string;
  taken: number[];
  peakBytes: number | null;
  error?: string;
}

export async function measureBlocks(bench: Bench): Promise<BlocksReport> {
  const { sizes, runs, say } = bench;
  const config = withBlocks(sizes.config, "both");
  const images = (sizes.size.latentSide / 2) ** 2;
  const counts = { text: sizes.size.textTokens, target: images, reference: images };
  const flops = flopsPerStep(config, counts);
  const turns = await sidesOf(bench, config);
  const peaks = peakTurns(bench);
  for (let round = 0; round < runs; round += 1) {
    say(`blocks: round ${round + 1} of ${runs}`);
    for (const turn of rotated(turns, round)) {
      say(`  ${turn.name}`);
      await takeTurn(turn, bench);
    }
    await measurePeaks(peaks);
  }
  const reference = turns.find(({ name }) => name === BLOCK_SIDES.torchFp32);
  const exact = reference && !reference.error ? await readFloats(reference.output) : undefined;
  const reports: BlocksReport["sides"] = {};
  for (const { name, error, taken, peakBytes, output } of turns) {
    if (error !== undefined) {
      reports[name] = { error };
      continue;
    }
    const seconds = summarize(taken);
    const agreement = exact ? agreementOf(await readFloats(output), exact) : null;
    reports[name] = { seconds, gflops: rounded(flops / seconds.median / 1e9), peakBytes, agreement };
  }
  const found = Object.fromEntries(
    Object.entries(peaks).map(([name, { values, error }]) => [name, error ? { error } : summarize(values)]),
  ) as unknown as Peaks;
  return { tokens: counts.text + 2 * images, flops, sides: reports, peaks: found };
}

async function takeTurn(turn: Turn, { clock, threads, say }: Bench): Promise<void> {
  if (turn.error !== undefined) return;
  try {
    const { seconds, cpuSeconds, peakBytes } = await turn.run();
    const taken = clock === "cpu" ? cpuSeconds.map((value) => value / threads) : seconds;
    turn.taken.push(...taken.slice(1));
    turn.peakBytes = peakBytes === null ? null : Math.max(turn.peakBytes ?? 0, peakBytes);
  } catch (error) {
    say(`  ${turn.name} failed: ${messageOf(error)}`);
    turn.error = messageOf(error);
  }
}

async function sidesOf(bench: Bench, config: Bench["sizes"]["config"]): Promise<Turn[]> {
  const { scratch, sizes, say } = bench;
  const file = (name: string): string => path.join(scratch, name);
  const source = syntheticTransformer(config, { format: FORMATS.int8, seed: SEED });
  const inputs = file("inputs.bin");
  await writeStepInputs(inputs, fluxInputs(config), sizes.size);
  const weights = new Map([...source.weights()].map((weight) => [weight.key, weight]));
  const layout = originalFluxLayout(config);
  const files: Record<string, (name: string) => Promise<unknown>> = {
    "int8.safetensors": (name) => writeConverted(name, source, "int8"),
    "float32.safetensors": (name) => writeFloats(name, [...weights.values()]),
    "q8.gguf": (name) => writeGguf(name, layout, weights, { bits: 8 }),
    "q4.gguf": (name) => writeGguf(name, layout, weights, { bits: 4 }),
  };
  // Those that an earlier call has left have all of their bytes: each gets its name last.
  const missing = Object.keys(files).filter((name) => !existsSync(file(name)));
  if (missing.length > 0) {
    await checkDisk(scratch, source.floatBytes + 2.5 * source.byteLength);
    say("blocks: writing weights");
  }
  for (const name of missing) {
    await files[name]!(file(`${name}.partial`));
    await rename(file(`${name}.partial`), file(name));
  }
  const given = { bench, config, inputs };
  const turn = (name: string, run: (output: string) => Promise<Run>): Turn => {
    const output = file(`velocity-${name.replaceAll(/\W+/g, "-")}.bin`);
    return { name, run: () => run(output), output, taken: [], peakBytes: null };
  };
  const turns = [
    turn(BLOCK_SIDES.int8, (output) => retouch(given, file("int8.safetensors"), true, output)),
    turn(BLOCK_SIDES.fp32, (output) => retouch(given, file("float32.safetensors"), false, output)),
    turn(BLOCK_SIDES.torchBf16, (output) => torch(given, file("float32.safetensors"), "bfloat16", output)),
    turn(BLOCK_SIDES.torchFp32, (output) => torch(given, file("float32.safetensors"), "float32", output)),
  ];
  const fluxStep = builtFluxStep(bench);
  for (const [name, bits] of [
    [BLOCK_SIDES.q8, 8],
    [BLOCK_SIDES.q4, 4],
  ] as const) {
    const gguf = file(`q${bits}.gguf`);
    turns.push(turn(name, (output) => stableDiffusionCpp(given, fluxStep, gguf, output)));
  }
  return turns;
}

function builtFluxStep({ python, say }: Bench): string | Error {
  try {
    return tryBuildFluxStep(python(), say);
  } catch (error) {
    return new Error(messageOf(error));
  }
}

interface Given {
  bench: Bench;
  config: Bench["sizes"]["config"];
  inputs: string;
}

async function retouch(given: Given, weights: string, isConverted: boolean, output: string): Promise<Run> {
  const { sizes, threads, signal } = given.bench;
  const { config, inputs } = given;
  const order: StepOrder = {
    ...sizes.size,
    weights,
    isConverted,
    config,
    inputs,
    output,
    threads,
    runs: RUNS_OF_A_PROCESS,
  };
  const program = await compile(inRepository("bench", "full-size", "step-process.ts"));
  const answer = await runForJson<StepAnswer>(process.execPath, [program, JSON.stringify(order)], signal);
  const { seconds, cpuSeconds, modulation, peakBytes } = answer;
  // The other sides compute modulation in every step.
  return {
    seconds: seconds.map((taken) => taken + modulation.seconds),
    cpuSeconds: cpuSeconds.map((taken) => taken + modulation.cpuSeconds),
    peakBytes,
  };
}

async function torch(
  given: Given,
  weights: string,
  dtype: "float32" | "bfloat16",
  output: string,
): Promise<Run> {
  const { sizes, threads, python, signal } = given.bench;
  const order = {
    ...sizes.size,
    weights,
    inputs: given.inputs,
    config: diffusersConfig(given.config),
    threads,
    runs: RUNS_OF_A_PROCESS,
    outputs: {},
    timed: [dtype],
    timedOutput: output,
  };
  const script = inRepository("bench", "full-size", "torch_step.py");
  type Times = Record<string, number[]>;
  type Answer = { seconds: Times; cpuSeconds: Times; peakRssBytes: number };
  const answer = await runForJson<Answer>(python(), [script, JSON.stringify(order)], signal);
  const { seconds, cpuSeconds, peakRssBytes } = answer;
  return { seconds: seconds[dtype]!, cpuSeconds: cpuSeconds[dtype]!, peakBytes: peakRssBytes };
}

/** With its flash attention, which its users switch on (`--diffusion-fa`). */
async function stableDiffusionCpp(
  { bench, config, inputs }: Given,
  fluxStep: string | Error,
  gguf: string,
  output: string,
): Promise<Run> {
  if (fluxStep instanceof Error) throw fluxStep;
  const { sizes, threads, signal } = bench;
  const { channels, promptSize, pooledSize } = fluxInputs(config);
  const { latentSide, textTokens } = sizes.size;
  const numbers = [channels, latentSide, textTokens, promptSize, pooledSize, threads, RUNS_OF_A_PROCESS, 1];
  return runForJson<Run>(fluxStep, [gguf, inputs, output, ...numbers.map(String)], signal);
}

interface PeakTurn {
  measure(): Promise<number> | number;
  values: number[];
  error?: string;
}

function peakTurns({ squares, threads, clock, python }: Bench): Record<keyof Peaks, PeakTurn> {
  const best = async (measure: typeof measureGemm): Promise<number> => {
    let found = 0;
    for (const size of squares) found = Math.max(found, await measure(size, { threads, clock }));
    return found;
  };
  const inTorch = (dtype: "float32" | "bfloat16") => (): number =>
    measureTorch(squares, { threads, clock, python: python(), dtype });
  return {
    gemm: { measure: () => best(measureGemm), values: [] },
    matmulInteger: { measure: () => best(measureByteProduct), values: [] },
    torchFp32: { measure: inTorch("float32"), values: [] },
    torchBf16: { measure: inTorch("bfloat16"), values: [] },
  };
}

async function measurePeaks(peaks: Record<keyof Peaks, PeakTurn>): Promise<void> {
  for (const peak of Object.values(peaks)) {
    if (peak.error !== undefined) continue;
    try {
      peak.values.push(await peak.measure());
    } catch (error) {
      peak.error = messageOf(error);
    }
  }
}
