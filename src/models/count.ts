/**
 * How many weights a network has and how many operations a run takes, counted from the graph itself. The graph is built
 * once with weights that are only recorded, which needs no files.
 */
import { byteSizeOf, type DType } from "../onnx/dtype.ts";
import { type Dim, externalTensor, inputsOf, type Operator, operatorsOf, type Value } from "../onnx/graph.ts";
import { gather } from "../onnx/ops.ts";
import type { WeightScope } from "../weights/weight-set.ts";

/** A network's outputs, by name. */
export type Outputs = Readonly<Record<string, Value>>;

/** Builds a network with the weights of a scope. */
export type Build = (weights: WeightScope) => Outputs;

export interface WeightCount {
  /** Weights of linear layers, which a quantised file has in few bits. */
  matrices: number;
  /** Weights of tables that rows are taken of, which stay in their file. */
  tables: number;
  /** Weights of convolutions, norms and biases. */
  others: number;
  /** Weights of the largest matrix of a linear layer. */
  largestMatrix: number;
}

export const totalOf = ({ matrices, tables, others }: Omit<WeightCount, "largestMatrix">): number =>
  matrices + tables + others;

/** A weight that a network asks for. */
export interface RequestedWeight {
  shape: readonly number[];
  /** Whether it is the matrix of a linear layer. */
  isMatrix: boolean;
  /** Whether rows of it are taken. */
  isTable: boolean;
}

/** The weights that `build` requests, by key. A weight that a file may hold under several keys has the first. */
export const requestedWeights = (build: Build): ReadonlyMap<string, RequestedWeight> => record(build).weights;

/** @param isCounted leaves keys out. @default none */
export function countWeights(build: Build, isCounted: (key: string) => boolean = () => true): WeightCount {
  const count: WeightCount = { matrices: 0, tables: 0, others: 0, largestMatrix: 0 };
  for (const [key, { shape, isMatrix, isTable }] of requestedWeights(build)) {
    if (!isCounted(key)) continue;
    const size = shape.reduce((product, dim) => product * dim, 1);
    count[isMatrix ? "matrices" : isTable ? "tables" : "others"] += size;
    if (isMatrix) count.largestMatrix = Math.max(count.largestMatrix, size);
  }
  return count;
}

/** The network that `build` makes with placeholder weights: it can be counted, but not run. */
export const unloadedNetwork = (build: Build): Outputs => record(build).outputs;

/** What an operator computes, for operators that take nearly all of the time. */
export type Work = WorkShape & {
  /** The type that it computes in. */
  dtype: DType;
  /** Floating point operations; a multiplication and an addition count as two. */
  operations: number;
};

type WorkShape =
  /** x [rows, columns] times a weight [size, columns] transposed. */
  | { kind: "linear"; rows: number; columns: number; size: number }
  /** The scores of queries [length, heads * headSize], and their product with the values. */
  | { kind: "attention"; length: number; numHeads: number; headSize: number }
  /** Kernels [outChannels, inChannels, side, side] over what gives `width` x `height` cells. */
  | {
      kind: "convolution";
      inChannels: number;
      outChannels: number;
      kernelSide: number;
      width: number;
      height: number;
    };

/**
 * What one run computes: linear layers, attention and convolutions. Norms, activations and rotary embeddings, far below a
 * hundredth of a transformer's operations, are left out.
 * @param dims sizes of the graph's named dimensions
 */
export function workOf(outputs: Outputs, dims: Dims): Work[] {
  return operatorsOf(outputs).flatMap((operator) => workOfOperator(operator, sizesFrom(dims)) ?? []);
}

export interface OperationCount {
  /** Floating point operations of linear layers. */
  linear: number;
  /** Floating point operations of attention: the scores, and their product with the values. */
  attention: number;
  convolution: number;
}

/** Counts the floating point operations of one run. @param dims sizes of the graph's named dimensions */
export function countOperations(outputs: Outputs, dims: Dims): OperationCount {
  const count: OperationCount = { linear: 0, attention: 0, convolution: 0 };
  for (const { kind, operations } of workOf(outputs, dims)) count[kind] += operations;
  return count;
}

/** Bytes of a run's inputs and outputs, by name. */
export interface TravellingBytes {
  inputs: Readonly<Record<string, number>>;
  outputs: Readonly<Record<string, number>>;
}

/** @param dims sizes of the graph's named dimensions */
export function travellingBytes(outputs: Outputs, dims: Dims): TravellingBytes {
  const sizeOf = sizesFrom(dims);
  const bytesOf = ({ dtype, shape }: Pick<Value, "dtype" | "shape">): number =>
    shape.reduce<number>((product, dim) => product * sizeOf(dim), byteSizeOf(dtype));
  return {
    inputs: Object.fromEntries(inputsOf(outputs).map((value) => [value.name, bytesOf(value)])),
    outputs: Object.fromEntries(Object.entries(outputs).map(([name, value]) => [name, bytesOf(value)])),
  };
}

type Dims = Readonly<Record<string, number>>;
type SizeOf = (dim: Dim) => number;

/** Sizes by name, where "2*h" is twice "h" and "h/2" half of it. */
function sizesFrom(dims: Dims): SizeOf {
  return function sizeOf(dim): number {
    if (typeof dim === "number") return dim;
    const size = dims[dim];
    if (size !== undefined) return size;
    const [, factor, multiplied] = /^(\d+)\*(.+)$/.exec(dim) ?? [];
    if (multiplied !== undefined) return Number(factor) * sizeOf(multiplied);
    const [, divided, divisor] = /^(.+)\/(\d+)$/.exec(dim) ?? [];
    if (divided !== undefined) return sizeOf(divided) / Number(divisor);
    throw new Error(`The dimension ${dim} has no size.`);
  };
}

function workOfOperator({ opType, inputs, outputs, attributes }: Operator, sizeOf: SizeOf): Work | undefined {
  const [x, second] = inputs as [Value, Value];
  const { dtype } = x;
  const sizes = (value: Value): number[] => value.shape.map(sizeOf);
  if (opType === "Gemm") {
    const [rows, columns] = sizes(x) as [number, number];
    const size = sizeOf(second.shape[0]!);
    return { kind: "linear", dtype, rows, columns, size, operations: 2 * rows * columns * size };
  }
  if (opType === "MultiHeadAttention" || opType === "Attention") {
    const [, length, width] = sizes(x) as [number, number, number];
    const heads = attributes["num_heads"] ?? attributes["q_num_heads"];
    const numHeads = heads?.kind === "int" ? heads.value : 1;
    // Two products of size [L, S] by [S, C], over all heads.
    const operations = 2 * (2 * length * sizeOf(second.shape[1]!) * width);
    return { kind: "attention", dtype, length, numHeads, headSize: width / numHeads, operations };
  }
  if (opType === "Conv") {
    const [outChannels, inChannels, kernelSide, across] = sizes(second) as [number, number, number, number];
    const [height, width] = outputs[0]!.shape.slice(2).map(sizeOf) as [number, number];
    const operations = 2 * outChannels * inChannels * kernelSide * across * width * height;
    return { kind: "convolution", dtype, inChannels, outChannels, kernelSide, width, height, operations };
  }
  return undefined;
}

function record(build: Build): { outputs: Outputs; weights: ReadonlyMap<string, RequestedWeight> } {
  const weights = new Map<string, RequestedWeight>();
  return { outputs: build(recordingScope("", weights)), weights };
}

function recordingScope(prefix: string, weights: Map<string, RequestedWeight>): WeightScope {
  const take = (
    name: string,
    shape: readonly number[],
    { isMatrix = false, isTable = false } = {},
  ): Value => {
    const key = `${prefix}${name}`;
    if (weights.has(key)) throw new Error(`The weight ${key} is used twice.`);
    weights.set(key, { shape, isMatrix, isTable });
    return externalTensor(key, "float32", shape, { location: "", byteOffset: 0, byteLength: 0 });
  };
  return {
    child: (...names) => recordingScope(`${prefix}${names.join(".")}.`, weights),
    adaptedInput: (x) => x,
    adapted: (_, y) => y,
    adaptedNorm: (weight) => weight,
    matrix: (name, shape) => take(name, shape, { isMatrix: true }),
    rows: (name, shape, indices) => gather(take(name, shape, { isTable: true }), indices),
    tensor: (name, shape) => take(name, shape),
    has: () => false,
    hasChild: () => false,
    ignore() {},
  };
}
