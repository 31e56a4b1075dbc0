/** Nodes that bind no more tensors than a shader can. */
import type { Operator, Value } from "../graph.ts";
import { splitSizes } from "../ops.ts";
import { intOf } from "./attributes.ts";

/** `Split` into parts, and parts of these, with at most `max` outputs each. */
export function splitInTurns(
  { opType, inputs, outputs, attributes }: Operator,
  max: number,
): Value[] | undefined {
  if (opType !== "Split" || outputs.length <= max) return undefined;
  const axis = intOf(attributes, "axis");
  const sizes = outputs.map(({ shape }) => shape[axis] as number);
  return splitSizes(inputs[0]!, sizes, axis, max);
}
