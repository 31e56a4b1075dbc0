/** Graphs without half precision, for devices that have none: in float32 throughout, whatever the weights are stored as. */
import type { DType } from "../dtype.ts";
import { type Operator, remade, type Value } from "../graph.ts";
import { onHost } from "../values.ts";
import { toFloat32 } from "../ops.ts";

const HALF: ReadonlySet<DType> = new Set<DType>(["float16", "bfloat16"]);
const isHalf = ({ dtype }: { dtype: DType }): boolean => HALF.has(dtype);
const isFloat = ({ dtype }: { dtype: DType }): boolean => dtype === "float32" || HALF.has(dtype);

/**
 * Makes the rewriting of one graph, in which each weight is widened once, before anything else is done with it: the
 * runtime then widens it on the CPU when it loads the network. So rows are taken of a widened table, not widened after
 * they are taken.
 */
export function widening(): (operator: Operator) => readonly Value[] | undefined {
  const known = new Map<Value, Value>();
  const widened = (value: Value): Value => {
    if (value.dtype === "float32") return value;
    const wide = known.get(value) ?? toFloat32(value);
    known.set(value, wide);
    return wide;
  };
  return (operator) => {
    const { opType, inputs, outputs } = operator;
    // The CPU takes rows of a table as it is, and widens these alone.
    if (operator.isOnHost)
      return isHalf(outputs[0]!) ? [onHost(toFloat32(remade(operator, {})[0]!))] : undefined;
    // What was a widening or narrowing in the network is neither any more.
    if (opType === "Cast" && isFloat(outputs[0]!)) return [widened(inputs[0]!)];
    if (![...inputs, ...outputs].some((value) => value && isHalf(value))) return undefined;
    return remade(operator, {
      inputs: inputs.map((value) => (value && isHalf(value) ? widened(value) : value)),
      outputs: outputs.map(({ dtype, shape }) => ({ dtype: HALF.has(dtype) ? "float32" : dtype, shape })),
    });
  };
}
