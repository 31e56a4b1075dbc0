/**
 * Which forms of its operators a device gets: each is tried beside the CPU on small graphs, in the device's process.
 * Where a kernel is wrong, missing or slower than the same written out, the graphs are rewritten (`kernel-forms.ts`).
 */
import { tmpdir } from "node:os";
import type { ComputeType } from "../onnx/dtype.ts";
import { buildModel, input, ints, type Value } from "../onnx/graph.ts";
import { type KernelForms, withForms } from "../onnx/kernel-forms.ts";
import * as ops from "../onnx/ops.ts";
import { decibelsBetween, LEAST_DECIBELS } from "./decibels.ts";
import { type DeviceProcess, TrialError } from "./device-process.ts";
import { DrawnNumbers } from "./drawn-numbers.ts";
import { formsOf } from "./forms-of.ts";
import { Session, type Tensor } from "./session.ts";

/** What the networks ask of a device's kernels. */
export interface KernelNeeds {
  /** The shapes of attention that there are. */
  attentions: readonly AttentionNeed[];
  /** Types to try besides float32. */
  types: readonly ComputeType[];
  /** Bytes of the largest tensor, or more. */
  tensorBytes: number;
}

export interface AttentionNeed {
  numHeads: number;
  headSize: number;
  /** Whether there is a bias on the scores. */
  isBiased: boolean;
}

/**
 * Rows of queries to try attention with: below, at and above the sizes of the tiles that kernels work in, and beyond
 * several of them.
 */
const ATTENTION_ROWS = [31, 32, 33, 100, 300] as const;
const MOST_ROWS = Math.max(...ATTENTION_ROWS);
/** Rows to time attention with. */
const TIMED_ROWS = 1024;
/** How much longer the fused form may take: below this, the difference is that of the measurement. */
const TIMING_SHARE = 1.1;

/** Sizes of a tensor to try, largest first: one row of 256 bytes below a limit that may be exclusive. */
const TENSOR_BYTES = [4096, 2048, 1024, 512, 256].map((mebibytes) => mebibytes * 1024 ** 2 - 256);

/** Finds the forms; the process may end in between, which counts against what was being tried. */
export async function findForms(process: DeviceProcess, needs: KernelNeeds): Promise<KernelForms> {
  const hasFloat16 = await computesFloat16(process);
  const types = needs.types.filter((type) => type !== "float32" && (type !== "float16" || hasFloat16));
  const promised = formsOf(process.device);
  return {
    ...promised,
    attention: await attentionForm(process, needs.attentions, ["float32", ...types]),
    maxTensorBytes: await maxTensorBytesOf(process, needs.tensorBytes, promised),
    hasFloat16,
  };
}

// ---- float16

/** A product and rows of a table, in float16 throughout: a device without it may take them and fail as they run. */
async function computesFloat16(process: DeviceProcess): Promise<boolean> {
  const half = (x: Value): Value => ops.cast(x, "float16");
  const x = half(input("x", "float32", [40, 64]));
  const table = half(input("table", "float32", [48, 64]));
  const product = ops.toFloat32(ops.gemm(x, ops.gather(table, ints([3, 1, 4, 15, 9, 26]))));
  const numbers = new DrawnNumbers(16);
  const inputs = { x: numbers.normal([40, 64]), table: numbers.normal([48, 64]) };
  return isRight(process, { product }, inputs);
}

// ---- attention

async function attentionForm(
  process: DeviceProcess,
  needs: readonly AttentionNeed[],
  types: readonly ComputeType[],
): Promise<KernelForms["attention"]> {
  for (const need of needs) {
    for (const type of types) {
      const { outputs, inputs } = attentionTrial(need, type);
      if (!(await isRight(process, outputs, inputs, { wanted: attentionTrial(need, "float32").outputs }))) {
        return "written";
      }
    }
  }
  for (const need of needs) {
    for (const type of types) if (await isSlower(process, need, type)) return "written";
  }
  return "fused";
}

/** Attention of the first rows of the same queries, keys and values, for each number of rows. */
export function attentionTrial(
  need: AttentionNeed,
  type: ComputeType,
): { outputs: Record<string, Value>; inputs: Record<string, Tensor> } {
  const { whole, inputs } = attentionInputs(need, MOST_ROWS);
  const outputs = ATTENTION_ROWS.map((rows) => {
    const some = (x: Value): Value => (rows === MOST_ROWS ? x : ops.firstAlong(x, 1, ints([rows]), rows));
    const bias =
      whole.bias && ops.firstAlong(ops.firstAlong(whole.bias, 2, ints([rows]), rows), 3, ints([rows]), rows);
    const cut = { query: some(whole.query), key: some(whole.key), value: some(whole.value), bias };
    return [`rows${rows}`, attended(need, cut, type)] as const;
  });
  return { outputs: Object.fromEntries(outputs), inputs };
}

interface AttentionValues {
  query: Value;
  key: Value;
  value: Value;
  bias?: Value | undefined;
}

function attentionInputs(
  { numHeads, headSize, isBiased }: AttentionNeed,
  rows: number,
): { whole: AttentionValues; inputs: Record<string, Tensor> } {
  const shape = [1, rows, numHeads * headSize];
  const numbers = new DrawnNumbers(32);
  const inputs: Record<string, Tensor> = {
    query: numbers.normal(shape),
    key: numbers.normal(shape),
    value: numbers.normal(shape),
  };
  const named = (name: string): Value => input(name, "float32", shape);
  const whole: AttentionValues = { query: named("query"), key: named("key"), value: named("value") };
  if (!isBiased) return { whole, inputs };
  const biasShape = [1, 1, rows, rows];
  return {
    whole: { ...whole, bias: input("bias", "float32", biasShape) },
    inputs: { ...inputs, bias: numbers.normal(biasShape) },
  };
}

function attended({ numHeads }: AttentionNeed, values: AttentionValues, type: ComputeType): Value {
  const typed = (x: Value): Value => ops.cast(x, type);
  const { query, key, value, bias } = values;
  const options = { numHeads, ...(bias && { bias: typed(bias) }) };
  return ops.toFloat32(ops.attention(typed(query), typed(key), typed(value), options));
}

/** Whether the fused form takes longer than the written one. */
async function isSlower(process: DeviceProcess, need: AttentionNeed, type: ComputeType): Promise<boolean> {
  const { whole, inputs } = attentionInputs(need, TIMED_ROWS);
  // A sum, so that what is timed is not the way back.
  const outputs = { sum: ops.reduceMean(attended(need, whole, type), 1) };
  const secondsIn = async (attention: KernelForms["attention"]): Promise<number> => {
    const forms: KernelForms = { ...formsOf(process.device), hasFloat16: true, attention };
    const trial = { model: buildModel("attention", withForms(outputs, forms)), inputs, timedRuns: 2 };
    return (await process.run(trial)).seconds;
  };
  try {
    const fused = await secondsIn("fused");
    return fused > TIMING_SHARE * (await secondsIn("written"));
  } catch (error) {
    if (error instanceof TrialError) return false;
    throw error;
  }
}

// ---- limits

/**
 * Bytes of the largest tensor that the device takes. Nothing tells it: the runtime reads what is beyond the limit of a
 * binding in pieces, and what a buffer can have is up to the driver. So it is tried.
 */
async function maxTensorBytesOf(
  process: DeviceProcess,
  wanted: number,
  { maxTensorBytes: promised }: KernelForms,
): Promise<number> {
  if (wanted <= promised) return promised;
  // One size above what is wanted is enough.
  const first = TENSOR_BYTES.findLastIndex((bytes) => bytes >= wanted);
  for (const bytes of TENSOR_BYTES.slice(Math.max(0, first))) {
    const length = bytes / Float32Array.BYTES_PER_ELEMENT;
    const filled = ops.expand(input("x", "float32", [1]), [length]);
    const outputs = { last: ops.rows(filled, length - 1, length, 1) };
    const model = buildModel("tensor", outputs);
    const inputs = { x: { data: Float32Array.of(2.5), shape: [1] } };
    const result = await process.run({ model, inputs, isWhole: true }).catch(asFailure);
    if (result?.outputs["last"]?.[0] === 2.5) return bytes;
  }
  return promised;
}

// ---- beside the CPU

/**
 * Whether the device computes what the CPU does, without the CPU's help.
 * @param options.wanted the graph that the CPU computes @default the same
 */
async function isRight(
  process: DeviceProcess,
  outputs: Readonly<Record<string, Value>>,
  inputs: Readonly<Record<string, Tensor>>,
  { wanted = outputs }: { wanted?: Readonly<Record<string, Value>> } = {},
): Promise<boolean> {
  const model = buildModel("trial", outputs);
  const result = await process.run({ model, inputs, isWhole: true }).catch(asFailure);
  if (!result) return false;
  const onCpu = await runOnCpu(wanted, inputs);
  return Object.entries(onCpu).every(
    ([name, { data }]) => decibelsBetween(result.outputs[name] ?? [], data as Float32Array) >= LEAST_DECIBELS,
  );
}

async function runOnCpu(
  outputs: Readonly<Record<string, Value>>,
  inputs: Readonly<Record<string, Tensor>>,
): Promise<Record<string, Tensor>> {
  const options = { name: "trial", weightsFolder: tmpdir(), threads: 0, isMemoryReturned: true };
  const session = await Session.load(buildModel("trial", outputs), options);
  try {
    return await session.run(inputs);
  } finally {
    await session.dispose();
  }
}

function asFailure(error: unknown): undefined {
  if (error instanceof TrialError) return undefined;
  throw error;
}
