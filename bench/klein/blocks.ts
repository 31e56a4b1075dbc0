/**
 * The first blocks at full size beside PyTorch on the same weights: the transformer with its first double-stream or its
 * first single-stream block alone, and the first layer of the text encoder. Only these blocks' weights are made.
 */
import { rmSync } from "node:fs";
import { quantize } from "../../src/quantize/quantize.ts";
import { storedSource } from "../../src/quantize/stored-source.ts";
import { readSafetensorsHeader } from "../../src/weights/safetensors.ts";
import { WeightSet } from "../../src/weights/weight-set.ts";
import { rounded } from "../../tools/statistics.ts";
import { type Agreement, agreementOf, type Spread, spreadOf } from "../full-size/agreement.ts";
import { say } from "../full-size/comparison.ts";
import { checkDisk } from "../full-size/disk.ts";
import { FORMATS, type Kind } from "../full-size/options.ts";
import { readFloats } from "../full-size/step-inputs.ts";
import { writeFloats } from "../full-size/weight-file.ts";
import { type Bench, fileIn, type Run, runProgram, runTorch } from "./bench.ts";
import { type Network, syntheticNetwork } from "./networks.ts";
import { type KleinFields, sizesOf } from "./published.ts";
import type { TextAnswer, TextOrder } from "./text-process.ts";
import {
  type CppReport,
  type Evaluated,
  runDiffusers,
  runRetouch,
  runStableDiffusionCpp,
  writeInputs,
} from "./transformer-sides.ts";

/** How many double and single blocks the two transformers have. */
const FIRST_BLOCKS = { double: [1, 0], single: [0, 1] } as const;
export type BlockName = keyof typeof FIRST_BLOCKS;
const KINDS = Object.keys(FORMATS) as Kind[];

/** The text encoder's layer that is compared. After the last of all, its states would be normalised. */
const TEXT_LAYER = 1;
const TEXT_LAYERS = 2;
/** Rows of the table of tokens, of which a text reads only some. */
const TEXT_VOCABULARY = 1024;

/** Beside PyTorch in float32. */
export interface Agreements {
  float32: Agreement;
  int8: Agreement;
  int4: Agreement;
}

export interface BlockReport extends Agreements {
  /** What the network in float32 gives. */
  output: Spread;
  /** Seconds of the fastest run on each side. */
  seconds: Record<string, number | { error: string }>;
  /** The highest of Retouch's processes. */
  peakBytes: number | null;
}

export interface BlocksReport {
  double: BlockReport;
  single: BlockReport;
  text: Omit<BlockReport, "seconds">;
  /** What a step of the whole transformer would take by these blocks; embedders and output layer count in each. */
  secondsPerStep: Record<string, number>;
}

export async function compareBlocks(bench: Bench): Promise<BlocksReport> {
  const text = await compareText(bench);
  await writeInputs(bench);
  const double = await compareTransformer(bench, "double");
  const single = await compareTransformer(bench, "single");
  const { numDoubleBlocks, numSingleBlocks } = bench.sizes.transformer;
  const steps = Object.entries(double.seconds).flatMap(([side, seconds]) => {
    const other = single.seconds[side];
    if (typeof seconds !== "number" || typeof other !== "number") return [];
    return [[side, rounded(numDoubleBlocks * seconds + numSingleBlocks * other)]];
  });
  const secondsPerStep = Object.fromEntries(steps) as Record<string, number>;
  return { double, single, text, secondsPerStep };
}

async function compareTransformer(bench: Bench, name: BlockName): Promise<BlockReport> {
  const [num_layers, num_single_layers] = FIRST_BLOCKS[name];
  const transformer = { ...bench.fields.transformer, num_layers, num_single_layers };
  const made = await makeWeights(bench, "transformer", { ...bench.fields, transformer });
  say(`blocks: the first ${name} block`);
  const order = { fields: transformer, runs: bench.runs };
  const reference = await runDiffusers(
    bench,
    { ...order, runs: 1 },
    { weights: made.floats, dtype: "float32" },
  );
  const half = await runDiffusers(bench, order, { weights: made.floats, dtype: "bfloat16" });
  const float32 = await runRetouch(bench, order, { file: made.floats, isConverted: false });
  const int8 = await runRetouch(bench, order, { file: made.int8, isConverted: true });
  const int4 = await runRetouch(bench, order, { file: made.int4, isConverted: true });
  const sides = { float32, int8, int4 };
  made.remove();
  const agreement = ({ velocity }: Evaluated): Agreement => agreementOf(velocity, reference.velocity);
  const cpp: Record<string, CppReport> = {};
  for (const kind of KINDS) {
    Object.assign(cpp, await runStableDiffusionCpp(bench, order, { kind, reference: reference.velocity }));
  }
  return {
    float32: agreement(float32),
    int8: agreement(int8),
    int4: agreement(int4),
    output: spreadOf(float32.velocity),
    seconds: {
      ...Object.fromEntries(Object.entries(sides).map(([kind, run]) => [`Retouch, ${kind}`, fastest(run)])),
      "diffusers, bfloat16": fastest(half),
      ...Object.fromEntries(
        Object.entries(cpp).map(([side, run]) => [side, "error" in run ? run : fastest(run)]),
      ),
    },
    peakBytes: highest(Object.values(sides)),
  };
}

async function compareText(bench: Bench): Promise<BlocksReport["text"]> {
  const fields = {
    ...bench.fields.text_encoder,
    num_hidden_layers: TEXT_LAYERS,
    vocab_size: Math.min(TEXT_VOCABULARY, bench.sizes.textEncoder.vocabularySize),
  };
  const made = await makeWeights(bench, "text_encoder", { ...bench.fields, text_encoder: fields });
  say("blocks: the text encoder's first layer");
  const [length, { threads }] = [bench.size.textTokens, bench];
  const output = fileIn(bench, "states.bin");
  const torchOrder = { weights: made.floats, config: fields, length, layer: TEXT_LAYER, threads, output };
  await runTorch(bench, "text", torchOrder);
  const reference = await readFloats(output);
  const runs: TextAnswer[] = [];
  const evaluate = async (weights: string, isConverted: boolean): Promise<Float32Array> => {
    const order: TextOrder = { weights, isConverted, fields, length, layer: TEXT_LAYER, threads, output };
    runs.push(await runProgram<TextAnswer>(bench, "text-process.ts", order));
    return readFloats(output);
  };
  const float32 = await evaluate(made.floats, false);
  const report = {
    float32: agreementOf(float32, reference),
    int8: agreementOf(await evaluate(made.int8, true), reference),
    int4: agreementOf(await evaluate(made.int4, true), reference),
    output: spreadOf(float32),
    peakBytes: highest(runs),
  };
  made.remove();
  return report;
}

interface MadeWeights extends Record<Kind | "floats", string> {
  remove(): void;
}

/** Random weights in bfloat16, and what `retouch quantize` makes of them. */
async function makeWeights(bench: Bench, network: Network, fields: KleinFields): Promise<MadeWeights> {
  const source = syntheticNetwork(network, sizesOf(fields));
  // bfloat16, int8 and int4 of these numbers, and a GGUF file.
  await checkDisk(bench.folder, source.floatBytes);
  say(`blocks: writing ${(source.floatBytes / 2e9).toFixed(1)} GB of weights, ${network}`);
  const floats = fileIn(bench, `${network}-blocks.safetensors`);
  await writeFloats(floats, [...source.weights()], "BF16");
  const stored = storedSource(new WeightSet(network, await readSafetensorsHeader(floats)));
  const files = {
    floats,
    int8: fileIn(bench, "blocks-int8.safetensors"),
    int4: fileIn(bench, "blocks-int4.safetensors"),
  };
  for (const kind of KINDS) {
    await quantize(stored, kind, files[kind], { hash: source.name, threads: bench.threads });
  }
  const remove = (): void => {
    for (const file of Object.values(files)) rmSync(file);
  };
  return { ...files, remove };
}

const fastest = ({ seconds }: Run): number => rounded(Math.min(...seconds));

const highest = (runs: readonly Run[]): number | null =>
  runs.every(({ peakBytes }) => peakBytes !== null)
    ? Math.max(...runs.map(({ peakBytes }) => peakBytes!))
    : null;
