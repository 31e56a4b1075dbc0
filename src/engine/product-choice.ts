/**
 * What a checkpoint's largest network multiplies in where nobody chose: of the kernels that are exact enough on this
 * processor, the fastest for each shape of matrix, as measured when the network is loaded. What was measured is kept, for
 * this machine and checkpoint.
 */
import { readFile } from "node:fs/promises";
import path from "node:path";
import { writeFileAtomically } from "../files/write-atomically.ts";
import { readProcessor } from "../machine/processor.ts";
import { type Outputs, unloadedNetwork } from "../models/count.ts";
import {
  type KernelOf,
  type MatrixShape,
  PRODUCT_KERNELS,
  type ProductImages,
  type ProductKernel,
  roundableProducts,
  withProducts,
} from "../onnx/forms/products.ts";
import { formatOf } from "../quantize/formats.ts";
import { decibelsBetween, decibelText } from "../runtime/decibels.ts";
import { loadSession } from "../runtime/load.ts";
import { runtimeVersion } from "../runtime/onnxruntime.ts";
import {
  type KernelSpeed,
  LEAST_PRODUCT_DECIBELS,
  type MeasuredProduct,
  measureProduct,
} from "../runtime/product-speed.ts";
import { sha256 } from "../sha256.ts";
import type { WeightSet } from "../weights/weight-set.ts";
import type { ComponentDefinition } from "./component.ts";
import { trialInputs } from "./device-trial.ts";
import { type EditExtent, squareEdit } from "./extent.ts";
import type { ModelPlan } from "./model.ts";
import { membersOf } from "./members-of.ts";

/** The kernels of one network. */
export interface ChosenProducts {
  /** By shape. */
  readonly shapes: readonly ShapeChoice[];
  /** How far the network's first blocks are from float32 with these kernels; absent if all are float32's. */
  readonly decibels?: number | undefined;
  /** Why float32 is computed although other kernels are faster. */
  readonly refusal?: string | undefined;
}

/** The kernel that was chosen for products of one shape, with the measurements. */
export interface ShapeChoice extends MeasuredProduct {
  readonly kernel: ProductKernel;
  /** Seconds of the fastest run of each kernel that is exact enough, float32 among them. */
  readonly seconds: Readonly<Partial<Record<ProductKernel, number>>>;
}

export interface ProductOptions {
  threads: number;
  /** What decides how many rows matrices are multiplied with. */
  usual: EditExtent;
  /** Where choices are kept. */
  cacheFolder: string;
  /** Tells checkpoints apart. */
  digest(): Promise<string>;
  /** Milliseconds that measuring may take, apart from loading what is measured. @default 150 */
  ms?: number | undefined;
}

const MS = 150;
/** Of float32's time: what a kernel must stay below to be worth its rounding. */
const WORTH = 0.9;
/** Of the slower one's time. */
const PLAIN = 0.8;
/** How far the first blocks may be from float32: an error of 1/30. Kernels that work come within 35 dB. */
const LEAST_BLOCK_DECIBELS = 30;
const FORMAT = "retouch-products";
const VERSION = 1;
const MAX_BYTES = 1 << 20;

/** Which matrices of a network may be rounded: those it allows, of which conversion to `int8` rounds all. */
const roundableOf =
  ({ isRoundable }: Pick<ComponentDefinition, "isRoundable">) =>
  (key: string, shape: readonly number[]): boolean =>
    isRoundable?.(key) === true && typeof formatOf(key, shape, "int8") === "object";

/** Float32 throughout. */
const inFloat32 = (shapes: readonly ShapeChoice[], refusal?: string): ChosenProducts => ({
  shapes: shapes.map((shape) => ({ ...shape, kernel: "float32" })),
  refusal,
});

export const isExact = ({ shapes }: ChosenProducts): boolean =>
  shapes.every(({ kernel }) => kernel === "float32");

/** Which shapes have which kernels, such as "rows 1280x256, 256x256"; undefined if all are float32's. */
export function productsText({ shapes }: ChosenProducts): string | undefined {
  const kernels = PRODUCT_KERNELS.filter((kernel) => kernel !== "float32").flatMap((kernel) => {
    const ofKernel = shapes.filter((shape) => shape.kernel === kernel);
    const sizes = ofKernel.map(({ columns, size }) => `${columns}x${size}`).join(", ");
    return ofKernel.length > 0 ? [`${kernel} ${sizes}`] : [];
  });
  return kernels.length > 0 ? kernels.join("; ") : undefined;
}

/** The network with the chosen kernels. @param images if it takes several a run */
export const withChosen = (
  outputs: Outputs,
  definition: Pick<ComponentDefinition, "isRoundable">,
  chosen: ChosenProducts,
  images?: ProductImages,
): Outputs => withProducts(outputs, roundableOf(definition), kernelOf(chosen), images);

const kernelOf =
  ({ shapes }: ChosenProducts): KernelOf =>
  (wanted) =>
    shapes.find((shape) => isSame(shape, wanted))?.kernel ?? "float32";

const isSame = (one: MatrixShape, other: MatrixShape): boolean =>
  one.columns === other.columns && one.size === other.size;

/**
 * Chooses for a network whose weights are in float32: as it was chosen before, or by measuring.
 * @throws RetouchError RUNTIME_FAILED if not even float32 runs
 */
export async function chooseProducts(
  definition: ComponentDefinition,
  weights: WeightSet,
  options: ProductOptions,
): Promise<ChosenProducts> {
  const wanted = shapesOf(definition, definition.build(weights.scope()), options.usual);
  if (wanted.length === 0) return inFloat32([]);
  const { threads } = options;
  const { model, instructionSets = [], logicalCores } = await readProcessor();
  const machine = [model, instructionSets, logicalCores, process.arch, threads, await runtimeVersion()];
  const key = sha256(JSON.stringify([machine, wanted, await options.digest()]));
  const file = path.join(options.cacheFolder, "products", `${key}.json`);
  // Neither a file that cannot be read nor a folder that takes none ends anything: they cost another measurement.
  const known = parseChoice(await readFile(file).catch(() => undefined), wanted);
  if (known) return known;
  const { chosen, isSteady } = await measured(definition, weights, wanted, options);
  await keep(file, { ...chosen, isSteady }).catch(() => undefined);
  return chosen;
}

/** What would be chosen for a model by speed and by the kernels' own errors, from configurations alone. */
export async function measureProducts(
  { components, native, usual }: ModelPlan,
  { threads = 0, ms = MS }: { threads?: number | undefined; ms?: number | undefined } = {},
): Promise<readonly ShapeChoice[]> {
  const largest = components.find(({ trial }) => trial?.isTimed);
  if (largest === undefined) return [];
  const network = unloadedNetwork((weights) => largest.build(weights));
  const wanted = shapesOf(largest, network, squareEdit(Math.sqrt(native.area), usual));
  return (await measuredShapes(wanted, { threads, ms })).shapes;
}

/** The shapes of matrices, those with the most operations first, each with the most rows that it is multiplied with. */
function shapesOf(definition: ComponentDefinition, network: Outputs, usual: EditExtent): MeasuredProduct[] {
  const dims = definition.runs(usual)[0]?.dims ?? {};
  const shapes: (MeasuredProduct & { operations: number })[] = [];
  for (const { rows: dim, columns, size } of roundableProducts(network, roundableOf(definition))) {
    const rows = typeof dim === "number" ? dim : (dims[dim] ?? Math.max(1, ...Object.values(dims)));
    const operations = rows * columns * size;
    const known = shapes.find((shape) => isSame(shape, { columns, size }));
    if (known === undefined) shapes.push({ rows, columns, size, operations });
    else {
      known.rows = Math.max(known.rows, rows);
      known.operations += operations;
    }
  }
  return shapes
    .toSorted((one, other) => other.operations - one.operations)
    .map(({ rows, columns, size }) => ({ rows, columns, size }));
}

async function measuredShapes(
  wanted: readonly MeasuredProduct[],
  { threads, ms }: { threads: number; ms: number },
): Promise<{ shapes: readonly ShapeChoice[]; isSteady: boolean }> {
  const shapes: ShapeChoice[] = [];
  let isSteady = true;
  for (const shape of wanted) {
    const speeds = await measureProduct(shape, { threads }, ms / wanted.length);
    const choice = { ...shape, ...fastest(speeds) };
    isSteady &&= isPlain(choice) || speeds.every((speed) => speed.isSteady);
    shapes.push(choice);
  }
  return { shapes, isSteady };
}

async function measured(
  definition: ComponentDefinition,
  weights: WeightSet,
  wanted: readonly MeasuredProduct[],
  { threads, ms = MS }: ProductOptions,
): Promise<{ chosen: ChosenProducts; isSteady: boolean }> {
  const { shapes, isSteady } = await measuredShapes(wanted, { threads, ms });
  const chosen: ChosenProducts = { shapes };
  if (isExact(chosen)) return { chosen, isSteady };
  const decibels = await blockDecibels(definition, weights, chosen, threads);
  if (decibels >= LEAST_BLOCK_DECIBELS) return { chosen: { ...chosen, decibels }, isSteady };
  const refusal = `with products of 8 bits ${definition.trial?.part} would be ${decibelText(decibels)} from float32; at least ${LEAST_BLOCK_DECIBELS} dB are needed`;
  return { chosen: inFloat32(shapes, refusal), isSteady };
}

/** Whether float32 and the best other kernel are so far apart that nothing beside them can have decided. */
function isPlain({ seconds: { float32 = Infinity, ...others } }: Pick<ShapeChoice, "seconds">): boolean {
  const part = Math.min(...Object.values(others)) / float32;
  return part < PLAIN || part > 1 / PLAIN;
}

/** The fastest kernel of those that are exact enough; float32 unless another is clearly faster. */
export function fastest(speeds: readonly KernelSpeed[]): Pick<ShapeChoice, "kernel" | "seconds"> {
  const right = speeds.filter(
    ({ decibels }) => Math.min(decibels.drawn, decibels.largest) >= LEAST_PRODUCT_DECIBELS,
  );
  const seconds = Object.fromEntries(right.map((speed) => [speed.kernel, speed.seconds]));
  const exact = seconds["float32"] ?? Infinity;
  const [best] = right.toSorted((one, other) => one.seconds - other.seconds);
  return { kernel: best && best.seconds < WORTH * exact ? best.kernel : "float32", seconds };
}

/** How far the first blocks are from float32, with the checkpoint's weights. */
async function blockDecibels(
  definition: ComponentDefinition,
  weights: WeightSet,
  chosen: ChosenProducts,
  threads: number,
): Promise<number> {
  const { outputs, inputs } = trialInputs({ definition, weights });
  const run = async (network: Outputs): Promise<Float32Array[]> => {
    const session = await loadSession(network, weights, { threads, isMemoryReturned: true });
    try {
      return Object.values(await session.run(inputs)).map(({ data }) => data as Float32Array);
    } finally {
      await session.dispose();
    }
  };
  const exact = await run(outputs);
  const rounded = await run(withChosen(outputs, definition, chosen));
  return Math.min(...rounded.map((numbers, index) => decibelsBetween(numbers, exact[index]!)));
}

// ---- what is kept

const keep = (file: string, found: ChosenProducts & { isSteady: boolean }): Promise<void> =>
  writeFileAtomically(
    file,
    Buffer.from(`${JSON.stringify({ format: FORMAT, version: VERSION, ...found }, null, 2)}\n`),
  );

/**
 * Undefined for what is no choice for these shapes, one of another version, or one that was measured while something else
 * kept the processor busy: it is then made again.
 */
export function parseChoice(
  bytes: Uint8Array | undefined,
  wanted: readonly MatrixShape[],
): ChosenProducts | undefined {
  if (bytes === undefined || bytes.byteLength > MAX_BYTES) return undefined;
  const { format, version, shapes, decibels, refusal, isSteady } = membersOf(bytes);
  if (format !== FORMAT || version !== VERSION || isSteady !== true) return undefined;
  if (!Array.isArray(shapes)) return undefined;
  if (decibels !== undefined && typeof decibels !== "number") return undefined;
  if (refusal !== undefined && typeof refusal !== "string") return undefined;
  const choices = shapes.map((shape) => Object(shape) as ShapeChoice);
  const areWanted =
    choices.length === wanted.length &&
    wanted.every((shape, index) => isSame(shape, choices[index]!)) &&
    choices.every(({ kernel, seconds }) => PRODUCT_KERNELS.includes(kernel) && typeof seconds === "object");
  return areWanted ? { shapes: choices, decibels, refusal } : undefined;
}
