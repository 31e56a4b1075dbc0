/**
 * The published model's T5 and transformer at full size, with random weights in the same shapes: one text and one step at
 * 512*512, in int8 and in int4, then the transformer's first blocks beside diffusers and stable-diffusion.cpp on the same
 * weights. Prints one JSON document on standard output and its progress on standard error.
 */
import { rmSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import path from "node:path";
import { flopsPerStep } from "../src/pipelines/flux1-kontext/components.ts";
import { compile } from "../tools/compile.mjs";
import { describeMachine, gitRevision, packageVersion } from "../tools/machine.ts";
import { inRepository } from "../tools/paths.ts";
import { findPython } from "../tools/python.ts";
import { rounded } from "../tools/statistics.ts";
import { spreadOf } from "./full-size/agreement.ts";
import { runForJson } from "./full-size/child.ts";
import { checkDisk } from "./full-size/disk.ts";
import { type Bench, compareBlocks, evaluate, say, speedOf, withBlocks } from "./full-size/comparison.ts";
import { FORMATS, type Kind, type Options, parseOptions, USAGE } from "./full-size/options.ts";
import { measureQuantizedPeak } from "./full-size/quantized-peak.ts";
import { goalsOf, type KindReport, tableOf, type TextReport } from "./full-size/report.ts";
import { PACKAGE, PACKAGE_VERSION, tryBuildFluxStep } from "./full-size/stable-diffusion-cpp.ts";
import { fluxInputs, writeStepInputs } from "./full-size/step-inputs.ts";
import { type SyntheticNetwork, syntheticT5, syntheticTransformer } from "./full-size/synthetic.ts";
import type { TextAnswer, TextOrder } from "./full-size/text-process.ts";
import { writeConverted, writeFloats } from "./full-size/weight-file.ts";
import { runProgram, withFolder } from "./interruptible.ts";
import { pythonVersions } from "./sides/diffusers.ts";

const SEED = 1;

async function runBenchmark(options: Options, folder: string, signal: AbortSignal) {
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
    fluxStep: options.withStableDiffusionCpp ? tryBuildFluxStep(python, say) : new Error("It was left out."),
    signal,
  };
  await writeStepInputs(bench.inputs, fluxInputs(options.config), options.size);
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

/** Encodes one text. An edit does that before it loads the transformer, so the larger of the two peaks counts. */
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

async function measure(options: Options): Promise<string> {
  const folder = await mkdtemp(path.join(options.folder, "retouch-12b-"));
  return withFolder(folder, options, async (signal) => {
    const report = await runBenchmark(options, folder, signal);
    return options.isTable ? tableOf(report.kinds) : `${JSON.stringify(report, null, 2)}\n`;
  });
}

await runProgram(parseOptions, USAGE, measure);
