/**
 * How many weights a network has and how many operations a run takes, counted from the graph itself. The graph is built
 * once with weights that are only recorded, which needs no files.
 */
import { type Dim, externalTensor, type Operator, operatorsOf, type Value } from "../onnx/graph.ts";
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

export interface OperationCount {
  /** Floating point operations of linear layers. */
  linear: number;
  /** Floating point operations of attention: the scores, and their product with the values. */
  attention: number;
}

/**
 * Counts the floating point operations of one run; a multiplication and an addition count as two. Norms, activations
 * and rotary embeddings, far below a hundredth of a transformer's operations, are left out, and so are convolutions.
 * @param dims sizes of the graph's named dimensions
 */
export function countOperations(outputs: Outputs, dims: Readonly<Record<string, number>>): OperationCount {
  const sizeOf = (dim: Dim): number => {
    const size = typeof dim === "number" ? dim : dims[dim];
    if (size === undefined) throw new Error(`The dimension ${dim} has no size.`);
    return size;
  };
  const count: OperationCount = { linear: 0, attention: 0 };
  for (const operator of operatorsOf(outputs)) {
    count.linear += linearOperations(operator, sizeOf);
    count.attention += attentionOperations(operator, sizeOf);
  }
  return count;
}

type SizeOf = (dim: Dim) => number;

/** x [rows, columns] times a weight [size, columns]. */
function linearOperations({ opType, inputs }: Operator, sizeOf: SizeOf): number {
  if (opType !== "Gemm") return 0;
  const [x, weight] = inputs as [Value, Value];
  return 2 * sizeOf(x.shape[0]!) * sizeOf(x.shape[1]!) * sizeOf(weight.shape[0]!);
}

/** Two products of size [L, S] by [S, C], over all heads. */
function attentionOperations({ opType, inputs }: Operator, sizeOf: SizeOf): number {
  if (opType !== "MultiHeadAttention" && opType !== "Attention") return 0;
  const [query, key] = inputs as [Value, Value];
  const [length, width] = [sizeOf(query.shape[1]!), sizeOf(query.shape[2]!)];
  return 2 * (2 * length * sizeOf(key.shape[1]!) * width);
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
