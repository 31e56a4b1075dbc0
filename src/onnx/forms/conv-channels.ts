/** Convolutions whose input channels are padded with zeros to a multiple of four. */
import { byteSizeOf } from "../dtype.ts";
import { constantOf, type Operator, remade, type Value } from "../graph.ts";
import { concat, padAfter } from "../ops.ts";

const LANES = 4;

/**
 * `Conv` of [1, C, h, w], where C is more than four and no multiple of it. Up to four channels are read one by one, and
 * groups by another kernel.
 */
export function convInFours(operator: Operator): Value[] | undefined {
  const { opType, inputs, attributes } = operator;
  if (opType !== "Conv" || "group" in attributes) return undefined;
  const [x, weight, bias] = inputs as [Value, Value, Value | undefined];
  const [outChannels, channels, ...kernel] = weight.shape as [number, number, number, number];
  const missing = -channels & (LANES - 1);
  if (channels <= LANES || missing === 0) return undefined;
  const shape = [outChannels, missing, ...kernel];
  const numBytes = shape.reduce((product, dim) => product * dim, byteSizeOf(weight.dtype));
  const zeros = constantOf(weight.dtype, new Uint8Array(numBytes), shape);
  const padded = [padAfter(x, 1, missing), concat([weight, zeros], 1)];
  return remade(operator, { inputs: bias ? [...padded, bias] : padded });
}
