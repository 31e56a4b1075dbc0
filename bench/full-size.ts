/**
 * The published model's T5 and transformer at full size, without their weights: random ones in the same shapes, in int8
 * and int4, one text, one step at 512*512; the transformer's first blocks beside diffusers and stable-diffusion.cpp on the
 * same weights. Prints one JSON document on standard output and its progress on standard error.
 */
import { rmSync } from "node:fs";
import { mkdtemp, statfs } from "node:fs/promises";
import path from "node:path";
import { compile } from "../tools/compile.mjs";
import { messageOf } from "../src/index.ts";
import type { FluxConfig } from "../src/models/flux-config.ts";
import { originalFluxLayout } from "../src/models/original-flux.ts";
import { flopsPerStep, type TokenCounts } from "../src/kontext/flops.ts";
import { agreementOf, spreadOf } from "./full-size/agreement.ts";
import { runForJson } from "./full-size/child.ts";
import { diffusersConfig } from "./full-size/diffusers-config.ts";
import { writeGguf } from "./full-size/gguf.ts";
import { FORMATS, type Kind, type Options, parseOptions, USAGE } from "./full-size/options.ts";
import { measureQuantizedPeak } from "./full-size/quantized-peak.ts";
import {
  goalsOf,
  type KindReport,
  type SideReport,
  type Speed,
  tableOf,
  type TextReport,
} from "./full-size/report.ts";
import { buildFluxStep, PACKAGE, PACKAGE_VERSION } from "./full-size/stable-diffusion-cpp.ts";
import { readFloats, writeStepInputs } from "./full-size/step-inputs.ts";
import type { StepAnswer, StepOrder } from "./full-size/step-process.ts";
import { type SyntheticNetwork, syntheticT5, syntheticTransformer } from "./full-size/synthetic.ts";
import type { TextAnswer, TextOrder } from "./full-size/text-process.ts";
import { writeConverted, writeFloats } from "./full-size/weight-file.ts";
import { describeMachine, gitRevision, packageVersion } from "../tools/machine.ts";
import { inRepository } from "../tools/paths.ts";
import { findPython, pythonVersions } from "./sides/diffusers.ts";
import { rounded } from "../tools/statistics.ts";

const SEED = 1;
/** Of the networks that are compared block by block. */
const FIRST_BLOCKS = { double: [1, 0], single: [0, 1], both: [1, 1] } as const;
type FirstBlocks = keyof typeof FIRST_BLOCKS;
const TIMED_DTYPES = ["float32", "bfloat16"];
/** Room on the disk beyond what is written. */
const SPARE_BYTES = 2 ** 30;

/** What every part needs. */
interface Bench extends Options {
  folder: string;
  inputs: string;
  tokens: TokenCounts;
  textProcess: string;
  stepProcess: string;
  python: string;
  fluxStep: string | Error;
  signal: AbortSignal;
}

async function runBenchmark(options: Options, folder: string, signal: AbortSignal): Promise<object> {
  const machine = describeMachine();
  if (machine.loadAverage > 0.5) say(`the machine is busy (load ${machine.loadAverage}): times mean little`);
  const python = findPython();
  const images = (options.size.latentSide / 2) ** 2;
  const bench: Bench = {
    ...options,
    folder,
    inputs: path.join(folder, "inputs.bin"),
    tokens: { text: options.size.textTokens, target: images, reference: images },
    textProcess: await compile(inRepository("bench", "full-size", "text-process.ts")),
    stepProcess: await compile(inRepository("bench", "full-size", "step-process.ts")),
    python,
    fluxStep: options.withStableDiffusionCpp ? tryBuild(python) : new Error("It was left out."),
    signal,
  };
  await writeStepInputs(bench.inputs, options.config, options.size);
  const kinds: Partial<Record<Kind, KindReport>> = {};
  for (const kind of options.kinds) kinds[kind] = await proveKind(kind, bench);
  return {
    date: new Date().toISOString(),
    revision: gitRevision(),
    machine,
    versions: {
      node: process.version,
      "onnxruntime-node": packageVersion("onnxruntime-node"),
      ...pythonVersions(python),
      [PACKAGE]: PACKAGE_VERSION,
    },
    settings: {
      ...options.config,
      ...bench.tokens,
      threads: options.threads,
      runs: options.runs,
      seed: SEED,
    },
    kinds,
    goals: Object.entries(kinds).flatMap(([kind, report]) => goalsOf(kind as Kind, report)),
  };
}

function tryBuild(python: string): string | Error {
  say("building stable-diffusion.cpp, the first time");
  try {
    return buildFluxStep(python);
  } catch (error) {
    // Such as a machine without a compiler: the rest still counts.
    say(`  failed: ${messageOf(error)}`);
    return new Error(messageOf(error));
  }
}

async function proveKind(kind: Kind, bench: Bench): Promise<KindReport> {
  const { config, folder, threads, tokens } = bench;
  const drawing = { format: FORMATS[kind], seed: SEED };
  const source = syntheticTransformer(config, drawing);
  const blocks = syntheticTransformer(withBlocks(config, "both"), drawing);
  const floats = path.join(folder, `${kind}-float32.safetensors`);
  const text = await proveT5(kind, bench);
  await checkDisk(folder, source.byteLength + blocks.floatBytes + blocks.byteLength);

  const { file: weights, seconds: writeSeconds } = await written(kind, "transformer", source, bench);
  const all = tokens.text + tokens.target + tokens.reference;
  const width = config.numHeads * config.headSize;
  const peakGflops = await measureQuantizedPeak(blocks, { kind, width, rows: all, threads, folder });

  say(`${kind}: one step`);
  const [answer, velocity] = await evaluate(bench, { config, weights, isConverted: true, runs: 1 });
  const speed = speedOf(answer.seconds, flopsPerStep(config, tokens));
  const step = {
    ...answer,
    ...speed,
    peakShare: rounded(speed.gflops / peakGflops),
    velocity: spreadOf(velocity),
  };

  say(`${kind}: the first blocks beside diffusers`);
  await writeFloats(floats, [...blocks.weights()]);
  const comparison = await compareBlocks(bench, { kind, weights, floats, blocks });
  if (!bench.isKept) for (const file of [weights, floats]) rmSync(file);
  return { weightsBytes: source.byteLength, writeSeconds, peakGflops, text, step, ...comparison };
}

/** Encodes one text. An edit does it before the transformer is loaded, so the larger of the two peaks counts. */
async function proveT5(kind: Kind, bench: Bench): Promise<TextReport> {
  const { t5: sizes, size, threads, folder, textProcess, signal } = bench;
  const source = syntheticT5(sizes, { format: FORMATS[kind], seed: SEED });
  await checkDisk(folder, source.byteLength);
  const { file, seconds: writeSeconds } = await written(kind, "T5", source, bench);
  say(`${kind}: one text`);
  const order: TextOrder = { weights: file, sizes, length: size.textTokens, threads };
  const answer = await runForJson<TextAnswer>(process.execPath, [textProcess, JSON.stringify(order)], signal);
  if (!bench.isKept) rmSync(file);
  return { weightsBytes: source.byteLength, writeSeconds, ...answer };
}

async function written(
  kind: Kind,
  network: string,
  source: SyntheticNetwork,
  { folder }: Bench,
): Promise<{ file: string; seconds: number }> {
  say(`${kind}: writing ${(source.byteLength / 1e9).toFixed(1)} GB of weights, ${network}`);
  const file = path.join(folder, `${network}-${kind}.safetensors`);
  const started = performance.now();
  await writeConverted(file, source, kind);
  return { file, seconds: rounded((performance.now() - started) / 1000) };
}

async function compareBlocks(
  bench: Bench,
  {
    kind,
    weights,
    floats,
    blocks,
  }: { kind: Kind; weights: string; floats: string; blocks: SyntheticNetwork },
): Promise<Pick<KindReport, "blocks" | "sides">> {
  const both = withBlocks(bench.config, "both");
  const flops = flopsPerStep(both, bench.tokens);
  const { references, sides: torchSides } = await runTorch(bench, floats, flops);

  const agreements = async (name: "double" | "single"): Promise<KindReport["blocks"]["double"]> => {
    const config = withBlocks(bench.config, name);
    const [, exact] = await evaluate(bench, { config, weights: floats, isConverted: false, runs: 1 });
    const [, quantized] = await evaluate(bench, { config, weights, isConverted: true, runs: 1 });
    return {
      float32: agreementOf(exact, references[name]),
      quantized: agreementOf(quantized, references[name]),
    };
  };
  const found = { double: await agreements("double"), single: await agreements("single") };

  say(`${kind}: one block of each kind, side by side`);
  const ours = async (file: string, isConverted: boolean): Promise<SideReport> => {
    const order = { config: both, weights: file, isConverted, runs: bench.runs };
    const [{ seconds, modulation, peakBytes }, velocity] = await evaluate(bench, order);
    // The other sides compute modulation in every step.
    const times = seconds.map((taken) => taken + modulation.seconds);
    return { ...speedOf(times, flops), peakBytes, agreement: agreementOf(velocity, references.both) };
  };
  const sides: Record<string, SideReport> = {
    "Retouch, in few bits": await ours(weights, true),
    "Retouch, float32": await ours(floats, false),
    ...torchSides,
    ...(await runStableDiffusionCpp(bench, { kind, blocks, reference: references.both, flops })),
  };
  return { blocks: found, sides };
}

/** The network that an order names, evaluated by Retouch. */
async function evaluate(
  { inputs, size, threads, folder, stepProcess, signal }: Bench,
  given: Pick<StepOrder, "config" | "weights" | "isConverted" | "runs">,
): Promise<[StepAnswer, Float32Array]> {
  const output = path.join(folder, "velocity.bin");
  const order: StepOrder = { ...given, ...size, inputs, output, threads };
  const answer = await runForJson<StepAnswer>(process.execPath, [stepProcess, JSON.stringify(order)], signal);
  return [answer, await readFloats(output)];
}

async function runTorch(
  bench: Bench,
  weights: string,
  flops: number,
): Promise<{ references: Record<FirstBlocks, Float32Array>; sides: Record<string, SideReport> }> {
  const { config, folder, size, inputs, threads, runs, python, signal } = bench;
  const outputs = Object.fromEntries(
    Object.keys(FIRST_BLOCKS).map((name) => [name, path.join(folder, `torch-${name}.bin`)]),
  ) as Record<FirstBlocks, string>;
  const order = {
    weights,
    inputs,
    config: diffusersConfig(config),
    ...size,
    threads,
    runs,
    outputs,
    timed: TIMED_DTYPES,
  };
  const script = inRepository("bench", "full-size", "torch_step.py");
  const answer = await runForJson<{ seconds: Record<string, number[]> }>(
    python,
    [script, JSON.stringify(order)],
    signal,
  );
  const sides = Object.entries(answer.seconds).map(([dtype, seconds]) => [
    `PyTorch (diffusers), ${dtype}`,
    { ...speedOf(seconds, flops), peakBytes: null },
  ]);
  return {
    references: {
      double: await readFloats(outputs.double),
      single: await readFloats(outputs.single),
      both: await readFloats(outputs.both),
    },
    sides: Object.fromEntries(sides) as Record<string, SideReport>,
  };
}

/** Without and with its own attention in blocks, which its users switch on (`--diffusion-fa`). */
async function runStableDiffusionCpp(
  bench: Bench,
  {
    kind,
    blocks,
    reference,
    flops,
  }: { kind: Kind; blocks: SyntheticNetwork; reference: Float32Array; flops: number },
): Promise<Record<string, SideReport>> {
  const { config, folder, size, threads, runs, fluxStep, inputs, signal } = bench;
  const name = `stable-diffusion.cpp, ${{ int8: "q8_0", int4: "q4_0" }[kind]}`;
  if (fluxStep instanceof Error) return { [name]: { error: fluxStep.message } };
  const gguf = path.join(folder, `${kind}.gguf`);
  const output = path.join(folder, "velocity-cpp.bin");
  const weights = new Map([...blocks.weights()].map((weight) => [weight.key, weight]));
  await writeGguf(gguf, originalFluxLayout(withBlocks(config, "both")), weights);
  const sizes = [
    config.inChannels / 4,
    size.latentSide,
    size.textTokens,
    config.promptSize,
    config.pooledSize,
  ];
  const sides: Record<string, SideReport> = {};
  for (const hasFlash of [false, true]) {
    const args = [gguf, inputs, output, ...[...sizes, threads, runs, Number(hasFlash)].map(String)];
    const side = hasFlash ? `${name}, flash attention` : name;
    try {
      const answer = await runForJson<{ seconds: number[]; peakBytes: number }>(fluxStep, args, signal);
      sides[side] = {
        ...speedOf(answer.seconds, flops),
        peakBytes: answer.peakBytes,
        agreement: agreementOf(await readFloats(output), reference),
      };
    } catch (error) {
      sides[side] = { error: messageOf(error) };
    }
  }
  if (!bench.isKept) rmSync(gguf);
  return sides;
}

function withBlocks(config: FluxConfig, name: FirstBlocks): FluxConfig {
  const [numDoubleBlocks, numSingleBlocks] = FIRST_BLOCKS[name];
  return { ...config, numDoubleBlocks, numSingleBlocks };
}

function speedOf(seconds: readonly number[], flops: number): Speed {
  const best = Math.min(...seconds);
  return { seconds: rounded(best), gflops: rounded(flops / best / 1e9) };
}

async function checkDisk(folder: string, wanted: number): Promise<void> {
  const { bavail, bsize } = await statfs(folder);
  if (bavail * bsize < wanted + SPARE_BYTES) {
    const gigabytes = (bytes: number): string => `${(bytes / 1e9).toFixed(1)} GB`;
    throw new Error(
      `${folder} has ${gigabytes(bavail * bsize)} free and ${gigabytes(wanted + SPARE_BYTES)} are needed; --folder names another place.`,
    );
  }
}

function say(sentence: string): void {
  process.stderr.write(`bench: ${sentence}\n`);
}

async function main(options: Options): Promise<void> {
  const folder = await mkdtemp(path.join(options.folder, "retouch-12b-"));
  const interruption = new AbortController();
  const cleanUp = (): void => {
    if (options.isKept) say(`the weights are in ${folder}`);
    else rmSync(folder, { recursive: true, force: true });
  };
  for (const [name, code] of [
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const) {
    process.once(name, () => {
      interruption.abort();
      cleanUp();
      process.exit(code);
    });
  }
  try {
    const report = await runBenchmark(options, folder, interruption.signal);
    const { kinds } = report as { kinds: Partial<Record<Kind, KindReport>> };
    process.stdout.write(options.isTable ? tableOf(kinds) : `${JSON.stringify(report, null, 2)}\n`);
  } finally {
    cleanUp();
  }
}

try {
  const options = parseOptions(process.argv.slice(2));
  if (options === "help") process.stdout.write(USAGE);
  else await main(options);
} catch (error) {
  say(messageOf(error));
  process.exitCode = 1;
}
