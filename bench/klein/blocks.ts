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
import { type Bench, type Evaluated, fileIn, type Run, runProgram, runTorch } from "./bench.ts";
import { type Network, syntheticNetwork } from "./networks.ts";
import { type KleinFields, sizesOf } from "./published.ts";
import type { TextAnswer, TextOrder } from "./text-process.ts";
import {
  type CppReport,
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

/** In how many bits Retouch has the weights. */
const OWN_KINDS = ["float32", "int8", "int4"] as const;
export const ownSide = (kind: (typeof OWN_KINDS)[number]): string => `Retouch, ${kind}`;

/** The fastest run of a side, and how its output agrees with PyTorch's in float32. */
export type SideReport = { seconds: number; agreement: Agreement } | { error: string };

export interface BlockReport {
  sides: Record<string, SideReport>;
  /** What Retouch gives in float32. */
  output: Spread;
  /** The highest of Retouch's processes. */
  peakBytes: number | null;
}

export interface BlocksReport {
  double: BlockReport;
  single: BlockReport;
  text: BlockReport;
  /** What a step of the whole transformer would take by these blocks; embedders and output layer count in each. */
  secondsPerStep: Record<string, number>;
}

export async function compareBlocks(bench: Bench): Promise<BlocksReport> {
  const text = await compareText(bench);
  await writeInputs(bench);
  const double = await compareTransformer(bench, "double");
  const single = await compareTransformer(bench, "single");
  const { numDoubleBlocks, numSingleBlocks } = bench.sizes.transformer;
  const steps = Object.entries(double.sides).flatMap(([name, side]) => {
    const other = single.sides[name];
    if ("error" in side || other === undefined || "error" in other) return [];
    return [[name, rounded(numDoubleBlocks * side.seconds + numSingleBlocks * other.seconds)]];
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
  const own = {
    float32: await runRetouch(bench, order, { file: made.floats, isConverted: false }),
    int8: await runRetouch(bench, order, { file: made.int8, isConverted: true }),
    int4: await runRetouch(bench, order, { file: made.int4, isConverted: true }),
  };
  made.remove();
  const cpp: Record<string, CppReport> = {};
  for (const kind of KINDS) {
    Object.assign(cpp, await runStableDiffusionCpp(bench, order, kind));
  }
  return {
    sides: sidesOf(
      {
        ...Object.fromEntries(OWN_KINDS.map((kind) => [ownSide(kind), own[kind]])),
        "diffusers, bfloat16": half,
        ...cpp,
      },
      reference.output,
    ),
    output: spreadOf(own.float32.output),
    peakBytes: highest(Object.values(own)),
  };
}

async function compareText(bench: Bench): Promise<BlockReport> {
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
  const evaluate = async (weights: string, isConverted: boolean): Promise<Evaluated> => {
    const order: TextOrder = { weights, isConverted, fields, length, layer: TEXT_LAYER, threads, output };
    const answer = await runProgram<TextAnswer>(bench, "text-process.ts", order);
    return { ...answer, output: await readFloats(output) };
  };
  const own = {
    float32: await evaluate(made.floats, false),
    int8: await evaluate(made.int8, true),
    int4: await evaluate(made.int4, true),
  };
  made.remove();
  return {
    sides: sidesOf(Object.fromEntries(OWN_KINDS.map((kind) => [ownSide(kind), own[kind]])), reference),
    output: spreadOf(own.float32.output),
    peakBytes: highest(Object.values(own)),
  };
}

const sidesOf = (
  sides: Record<string, Evaluated | { error: string }>,
  reference: Float32Array,
): Record<string, SideReport> =>
  Object.fromEntries(
    Object.entries(sides).map(([name, side]) => [
      name,
      "error" in side
        ? side
        : { seconds: rounded(Math.min(...side.seconds)), agreement: agreementOf(side.output, reference) },
    ]),
  );

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

const highest = (runs: readonly Run[]): number | null =>
  runs.every(({ peakBytes }) => peakBytes !== null)
    ? Math.max(...runs.map(({ peakBytes }) => peakBytes!))
    : null;
