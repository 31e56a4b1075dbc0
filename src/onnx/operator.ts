/** What the functions of operators are written with: attributes, and nodes with one output. */
import { type Attribute, makeNode, type Shape, type Value } from "./graph.ts";

export const int = (value: number): Attribute => ({ kind: "int", value });
export const float = (value: number): Attribute => ({ kind: "float", value });
export const text = (value: string): Attribute => ({ kind: "string", value });
export const intList = (value: readonly number[]): Attribute => ({ kind: "ints", value });

type NodeOptions = Parameters<typeof makeNode>[3];

/** A node with one output. */
export function one(
  opType: string,
  inputs: readonly (Value | undefined)[],
  shape: Shape,
  options?: NodeOptions,
): Value {
  const dtype = inputs[0]!.dtype;
  return makeNode(opType, inputs, [{ dtype, shape }], options)[0]!;
}

/** @throws Error unless all values have one type */
export function checkTypes(opType: string, values: readonly (Value | undefined)[]): void {
  const types = values.flatMap((value) => (value ? [value.dtype] : []));
  if (new Set(types).size > 1) throw new Error(`${opType} of ${types.join(", ")}: the types differ.`);
}
