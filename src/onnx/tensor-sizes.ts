/** How large the tensors of a graph become with inputs of given shapes. */
import { byteSizeOf } from "./dtype.ts";
import { intOf } from "./forms/attributes.ts";
import type { Dim, NamedOperator, Operator, Shape, Value } from "./graph.ts";

/** Shapes of the inputs, by name. */
export type InputShapes = Readonly<Record<string, readonly number[]>>;

export interface SizedTensor {
  /** That of the node that gives it. */
  name: string;
  shape: readonly number[];
  bytes: number;
}

/**
 * The largest tensor that the nodes give. Sums and products of named dimensions are followed through the graph; a tensor
 * with a dimension whose size does not follow is left out.
 * @param nodes each after those that feed it
 */
export function largestTensor(
  nodes: readonly NamedOperator[],
  inputShapes: InputShapes,
): SizedTensor | undefined {
  const sizes = new Map<string, number>();
  let largest: SizedTensor | undefined;
  for (const { name, operator } of nodes) {
    for (const value of operator.inputs) if (value) nameSizes(value, inputShapes, sizes);
    nameResult(operator, sizes);
    for (const { dtype, shape } of operator.outputs) {
      const known = shape.map((dim) => sizeOf(dim, sizes));
      const bytes = productOf(known) * byteSizeOf(dtype);
      if (bytes > (largest?.bytes ?? 0)) largest = { name, shape: known, bytes };
    }
  }
  return largest;
}

type Sizes = Map<string, number>;

/** Names the sizes of an input's dimensions. */
function nameSizes({ origin, shape }: Value, inputShapes: InputShapes, sizes: Sizes): void {
  if (origin.kind !== "input") return;
  const given = inputShapes[origin.name];
  shape.forEach((dim, axis) => {
    const size = given?.[axis];
    if (typeof dim === "string" && size !== undefined) sizes.set(dim, size);
  });
}

/** Names the size of a dimension that an operator makes: a sum, or what is left of a product. */
function nameResult({ opType, inputs, outputs, attributes }: Operator, sizes: Sizes): void {
  const shape = outputs[0]!.shape;
  if (opType === "Concat") {
    const axis = intOf(attributes, "axis");
    const parts = inputs.map((value) => sizeOf(value!.shape[axis]!, sizes));
    name(
      shape[axis]!,
      parts.reduce((sum, size) => sum + size, 0),
    );
  } else if (opType === "Reshape") {
    const [unknown, ...others] = shape.filter((dim) => typeof dim === "string");
    if (unknown === undefined || others.length > 0) return;
    const rest = productOf(shape.map((dim) => (typeof dim === "number" ? dim : 1)));
    name(unknown, numbersOf(inputs[0]!.shape, sizes) / rest);
  }
  function name(dim: Dim, size: number): void {
    if (typeof dim === "string" && !Number.isNaN(size)) sizes.set(dim, size);
  }
}

/** NaN where it does not follow. Convolutions and their like name a dimension after the one that they scale. */
function sizeOf(dim: Dim, sizes: Sizes): number {
  if (typeof dim === "number") return dim;
  const known = sizes.get(dim);
  if (known !== undefined) return known;
  const times = /^(?<factor>\d+)\*(?<rest>.+)$/.exec(dim)?.groups;
  if (times) return Number(times["factor"]) * sizeOf(times["rest"]!, sizes);
  const part = /^(?<rest>.+)\/(?<divisor>\d+)$/.exec(dim)?.groups;
  return part ? sizeOf(part["rest"]!, sizes) / Number(part["divisor"]) : Number.NaN;
}

const productOf = (sizes: readonly number[]): number => sizes.reduce((product, size) => product * size, 1);
const numbersOf = (shape: Shape, sizes: Sizes): number => productOf(shape.map((dim) => sizeOf(dim, sizes)));
