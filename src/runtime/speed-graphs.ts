/**
 * Graphs whose runs do one kind of work and nearly nothing else: a device's speed is measured with them. What they read
 * is spread out of a few numbers on the device itself, and of what they compute one row comes back, so that nothing
 * travels beside what is measured.
 */
import { byteSizeOf } from "../onnx/dtype.ts";
import { constant, input, type Value } from "../onnx/graph.ts";
import * as ops from "../onnx/ops.ts";
import * as quantized from "../onnx/quantized-ops.ts";
import type { Tensor } from "./session.ts";

/** A type that a device multiplies in; those of integers are weights in blocks, whose products are in floats. */
export const PRODUCT_TYPES = ["float32", "float16", "int8", "int4"] as const;
export type ProductType = (typeof PRODUCT_TYPES)[number];
export type FloatType = Extract<ProductType, "float32" | "float16">;

/** Products x [rows, columns] by a weight [size, columns] transposed. */
export interface ProductShape {
  rows: number;
  columns: number;
  size: number;
}

export interface AttentionShape {
  /** Tokens that attend to each other. */
  length: number;
  numHeads: number;
  headSize: number;
}

/** A 3x3 convolution that keeps the size of a square of `side` cells. */
export interface ConvolutionShape {
  inChannels: number;
  outChannels: number;
  side: number;
}

export interface SpeedGraph {
  outputs: Readonly<Record<string, Value>>;
  /** How far the amount can be raised: the rows of a product, the tokens of attention, the side of a square. */
  most: number;
  feeds(amount: number): Readonly<Record<string, Tensor>>;
  /** Operations of a run, or bytes that travel in it. */
  work(amount: number): number;
}

/** The graphs' name for the amount of their work. */
export const AMOUNT = "amount";
const BLOCK = 128;
/** Different rows of a weight, which are repeated: enough that no cache holds a multiplication's result. */
const DIFFERENT_ROWS = 16;
/** Floats of a row that travels. */
const TRAVELLING = 1024;
const FLOAT = 4;

export interface ProductOptions {
  /** The type in which a product of integers is computed. */
  floats: FloatType;
  /** Of such a product. */
  accuracyLevel: quantized.BlockMatrix["accuracyLevel"];
  /** Of a tensor. */
  maxBytes: number;
}

export function productGraph(shape: ProductShape, type: ProductType, options: ProductOptions): SpeedGraph {
  const { rows, columns } = shape;
  const { floats, accuracyLevel, maxBytes } = options;
  const computed = type === "float16" || type === "float32" ? type : floats;
  // A weight beyond the limit is multiplied in parts, each as fast as the whole.
  const size = Math.max(1, Math.min(shape.size, Math.floor(maxBytes / (columns * byteSizeOf(computed)))));
  const x = spread("x", [1, columns], 0, computed);
  const y =
    type === "int8" || type === "int4"
      ? quantized.matmulNBits(x, {
          ...blockMatrix(size, columns, { bits: type === "int8" ? 8 : 4, accuracyLevel }, computed),
          accuracyLevel,
        })
      : ops.gemm(x, ops.cast(matrix(size, columns), computed));
  return {
    outputs: { y: ops.toFloat32(ops.rows(y, 0, 1, 1)) },
    most: Math.min(rows, Math.floor(maxBytes / (FLOAT * Math.max(size, columns)))),
    feeds: (amount) => spreadFeeds("x", columns, [amount, 1]),
    work: (amount) => 2 * amount * columns * size,
  };
}

export function attentionGraph({ length, numHeads, headSize }: AttentionShape, type: FloatType): SpeedGraph {
  const width = numHeads * headSize;
  const x = spread("x", [1, 1, width], 1, type);
  const y = ops.reshape(ops.attention(x, x, x, { numHeads }), [x.shape[1]!, width]);
  return {
    outputs: { y: ops.toFloat32(ops.rows(y, 0, 1, 1)) },
    most: length,
    feeds: (amount) => spreadFeeds("x", width, [1, amount, 1]),
    work: (amount) => 2 * (2 * amount ** 2 * width),
  };
}

export function convolutionGraph(
  { inChannels, outChannels, side }: ConvolutionShape,
  { maxBytes }: { maxBytes: number },
): SpeedGraph {
  const kernels = ops.reshape(matrix(outChannels, inChannels * 9), [outChannels, inChannels, 3, 3]);
  const x = ops.mul(
    input("x", "float32", [1, inChannels, 1, 1]),
    input("ones", "float32", [1, 1, AMOUNT, AMOUNT]),
  );
  const y = ops.conv2d(x, kernels, undefined, { padding: [1, 1, 1, 1] });
  const channels = Math.max(inChannels, outChannels);
  return {
    outputs: { y: ops.firstAlong(ops.firstAlong(y, 2, one(), 1), 3, one(), 1) },
    most: Math.min(side, Math.floor(Math.sqrt(maxBytes / (FLOAT * channels)))),
    feeds: (amount) => ({
      x: tensor([1, inChannels, 1, 1]),
      ones: tensor([1, 1, amount, amount], 1),
    }),
    work: (amount) => 2 * 9 * inChannels * outChannels * amount ** 2,
  };
}

/** A run that computes nearly nothing. */
export function emptyGraph(): SpeedGraph {
  return {
    outputs: { y: ops.rows(spread("x", [1, TRAVELLING], 0, "float32"), 0, 1, 1) },
    most: 1,
    feeds: () => spreadFeeds("x", TRAVELLING, [1, 1]),
    work: () => 1,
  };
}

/** Rows that travel to the device, of which one comes back. */
export function upGraph(maxBytes: number): SpeedGraph {
  const x = input("x", "float32", [AMOUNT, TRAVELLING]);
  return {
    outputs: { y: ops.rows(x, 0, 1, 1) },
    most: rowsWithin(maxBytes),
    feeds: (amount) => ({ x: tensor([amount, TRAVELLING], 1) }),
    work: (amount) => FLOAT * TRAVELLING * amount,
  };
}

/** Rows that come back from the device, made there of one. */
export function downGraph(maxBytes: number): SpeedGraph {
  return {
    outputs: { y: spread("x", [1, TRAVELLING], 0, "float32") },
    most: rowsWithin(maxBytes),
    feeds: (amount) => spreadFeeds("x", TRAVELLING, [amount, 1]),
    work: (amount) => FLOAT * TRAVELLING * amount,
  };
}

/** At most 128 MB. */
const rowsWithin = (maxBytes: number): number =>
  Math.floor(Math.min(maxBytes, 2 ** 27) / (FLOAT * TRAVELLING));

/** The numbers of input `name`, of this shape, repeated along `axis` as often as the input `ones` is long. */
function spread(name: string, shape: readonly number[], axis: number, type: FloatType): Value {
  const ones = shape.map((_, at) => (at === axis ? AMOUNT : 1));
  return ops.mul(
    ops.cast(input(name, "float32", shape), type),
    ops.cast(input("ones", "float32", ones), type),
  );
}

const spreadFeeds = (name: string, width: number, ones: readonly number[]): Record<string, Tensor> => ({
  [name]: tensor([...ones.slice(0, -1).map(() => 1), width]),
  ones: tensor(ones, 1),
});

const one = (): Value => constant(BigInt64Array.of(1n), [1]);

/** Random numbers from -1 to 1 of this shape, or the same one everywhere. */
function tensor(shape: readonly number[], value?: number): Tensor {
  const size = shape.reduce((product, dim) => product * dim, 1);
  return { data: value === undefined ? randomFloats(size) : new Float32Array(size).fill(value), shape };
}

/** A weight [size, columns]. The runtime repeats its rows when it loads the graph, which so stays small itself. */
function matrix(size: number, columns: number): Value {
  const rows = divisor(size);
  return repeated(constant(randomFloats(rows * columns), [1, rows, columns]), [size, columns]);
}

function blockMatrix(
  size: number,
  columns: number,
  { bits, accuracyLevel }: Pick<quantized.BlockMatrix, "bits" | "accuracyLevel">,
  type: FloatType,
): Omit<quantized.BlockMatrix, "accuracyLevel"> {
  const blocks = Math.ceil(columns / BLOCK);
  const bytes = (BLOCK * bits) / 8;
  const rows = divisor(size);
  const numbers = constant(randomBytes(rows * blocks * bytes), [1, rows, blocks * bytes]);
  const scales = repeated(constant(new Float32Array(rows * blocks).fill(1e-3), [1, rows, blocks]), [
    size,
    blocks,
  ]);
  const stored = ops.reshape(repeated(numbers, [size, blocks * bytes]), [size, blocks, bytes]);
  return {
    shape: [size, columns],
    bits,
    blockSize: BLOCK,
    // As in the blocks of the transformer, where nearly all of the work is.
    blocks:
      bits === 8 && accuracyLevel === 4 ? quantized.unsignedBytes(quantized.signedBytes(stored)) : stored,
    scales: ops.cast(scales, type),
  };
}

/** Rows [1, n, C] as often as they make [size, C]. */
function repeated(rows: Value, [size, columns]: readonly [number, number]): Value {
  const [, count] = rows.shape as [number, number];
  return ops.reshape(ops.expand(rows, [size / count, count, columns]), [size, columns]);
}

/** The largest number of rows that divides `size`, among those to be different. */
function divisor(size: number): number {
  let rows = Math.min(size, DIFFERENT_ROWS);
  while (size % rows !== 0) rows -= 1;
  return rows;
}

/** The same in every run: those of a linear congruential generator ("Numerical Recipes", 32 bits). */
function* random(): Generator<number, never> {
  let state = 1;
  for (;;) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    yield state;
  }
}

function randomFloats(size: number): Float32Array {
  const numbers = random();
  return Float32Array.from({ length: size }, () => numbers.next().value / 2 ** 31 - 1);
}

function randomBytes(size: number): Uint8Array {
  const numbers = random();
  return Uint8Array.from({ length: size }, () => numbers.next().value >>> 24);
}
