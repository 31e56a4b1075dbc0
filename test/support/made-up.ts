/** Weights and inputs that follow from their names, as `scripts/reference/probes.py` makes them up. */
import { floats, type Value } from "../../src/onnx/graph.ts";
import { gather } from "../../src/onnx/ops.ts";
import type { Tensor } from "../../src/runtime/session.ts";
import type { LayerAdapter, WeightScope } from "../../src/weights/weight-set.ts";

/** Numbers of -1 to 1 that look random: a hash of the name (FNV-1a), mixed with the index (MurmurHash3's finaliser). */
export function numbers(name: string, count: number): Float64Array {
  let seed = 2166136261;
  for (const byte of Buffer.from(name)) seed = Math.imul(seed ^ byte, 16777619);
  return Float64Array.from({ length: count }, (_, index) => {
    let x = Math.imul(index, 2654435761) + seed;
    x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
    x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
    return ((x ^ (x >>> 16)) >>> 0) / 2 ** 31 - 1;
  });
}

export interface MadeUpOptions {
  /** Adapts layers and norms, as `WeightSet.scope` lets it. */
  adapt?: LayerAdapter;
  /** What is added to the matrix of a linear layer, [rows, columns]. */
  addedTo?: (layer: string, shape: readonly [rows: number, columns: number]) => readonly number[];
}

/** A scope of which every weight that is asked for exists. */
export function madeUpWeights(options: MadeUpOptions = {}, prefix = ""): WeightScope {
  const { adapt, addedTo } = options;
  const layer = prefix.replace(/\.$/, "");
  const values = (name: string, shape: readonly number[]): number[] => {
    const count = shape.reduce((product, dim) => product * dim, 1);
    const factor = Math.sqrt(3 / (count / shape[0]!));
    const isScale = name.endsWith("weight") || name === "running_var";
    const change = (value: number): number =>
      shape.length > 1 ? value * factor : isScale ? 1 + 0.4 * value : value * 0.2;
    return Array.from(numbers(`${prefix}${name}`, count), change);
  };
  const weight = (name: string, shape: readonly number[]): Value => floats(values(name, shape), shape);
  const matrix = (name: string, shape: readonly [rows: number, columns: number]): Value => {
    const added = addedTo?.(layer, shape);
    return added
      ? floats(
          values(name, shape).map((value, index) => value + added[index]!),
          shape,
        )
      : weight(name, shape);
  };
  return {
    child: (...names) => madeUpWeights(options, `${prefix}${names.join(".")}.`),
    adapted: (x, y) => adapt?.output(layer, x, y) ?? y,
    adaptedInput: (x) => adapt?.input(layer, x) ?? x,
    adaptedNorm: (own) => adapt?.norm(layer, own) ?? own,
    matrix,
    rows: (name, shape, indices) => gather(weight(name, shape), indices),
    tensor: weight,
    has: () => false,
    hasChild: () => false,
    ignore() {},
  };
}

export function madeUp(name: string, ...shape: number[]): Tensor {
  const count = shape.reduce((product, dim) => product * dim, 1);
  return { data: Float32Array.from(numbers(name, count)), shape };
}
