/**
 * Products with 8-bit matrices whose rows have one scale each, as products of integers: every row of the input is rounded
 * to 8 bits with a scale of its own, once for all matrices that read it. `MatMulNBits` rounds the input in blocks of the
 * matrix and scales every block's sum, which takes about twice the time where the processor adds up products of bytes.
 */
import { constantOf, externalTensor, ints, type Operator, scalar, type Value } from "../graph.ts";
import * as ops from "../ops.ts";
import * as quantized from "../quantized-ops.ts";
import { intOf } from "./attributes.ts";

/** The level at which the input is rounded, too. */
const ROUNDED_INPUTS = 4;

/**
 * What stands for 0 in a rounded input. A row of the activation GELU reaches far up and at most 0.17 down, so it keeps
 * more of its bits for what is above.
 */
const ZERO_POINT = 128;
const ZERO_POINT_OF_GELU = 32;
const LARGEST_BYTE = 255;

interface RoundedRows extends quantized.ByteRows {
  /** [M, 1] */
  factors: Value;
}

export function productOfRows(): (operator: Operator) => Value[] | undefined {
  const rowsOf = once(roundRows);
  const matrixOf = once(integerMatrix);
  return (operator) => {
    if (!isProductOfRows(operator)) return undefined;
    const [x, blocks, scales, , , bias] = operator.inputs as [Value, Value, Value, ...(Value | undefined)[]];
    const rows = rowsOf(x);
    const product = ops.mul(quantized.byteGemm(rows, matrixOf(blocks, scales)), rows.factors);
    return [bias ? ops.add(product, bias) : product];
  };
}

/** The same for a value that is asked about again. */
function once<Rest extends unknown[], Result>(
  make: (value: Value, ...rest: Rest) => Result,
): (value: Value, ...rest: Rest) => Result {
  const known = new Map<Value, Result>();
  return (value, ...rest) => {
    const made = known.get(value) ?? make(value, ...rest);
    known.set(value, made);
    return made;
  };
}

function isProductOfRows(operator: Operator): boolean {
  const { opType, inputs, attributes } = operator;
  if (opType !== "MatMulNBits" || intOf(attributes, "accuracy_level") !== ROUNDED_INPUTS) return false;
  const [x, blocks] = inputs as [Value, Value];
  // Padded rows do not lie one after the other.
  const isWhole = intOf(attributes, "K") % intOf(attributes, "block_size") === 0;
  return x.dtype === "float32" && isWhole && signedOf(blocks) !== undefined;
}

/** The int8 that `unsignedBytes` was given: only matrices whose rows have one scale are stored so. */
function signedOf(blocks: Value): Value | undefined {
  const turned = blocks.origin.kind === "node" ? blocks.origin.node.inputs[0] : undefined;
  if (turned?.origin.kind !== "node" || turned.origin.node.opType !== "BitwiseXor") return undefined;
  return turned.dtype === "int8" ? turned.origin.node.inputs[0] : undefined;
}

/** @param blocks uint8 [N, blocks, bytes] @param scales [N, blocks], the same in each row */
function integerMatrix(blocks: Value, scales: Value): quantized.IntegerMatrix {
  const signed = signedOf(blocks)!;
  const [size, count, bytes] = signed.shape as [number, number, number];
  const shape = [size, count * bytes];
  return {
    integers: withShape(signed, shape),
    scales: ops.reshape(ops.firstAlong(scales, 1, ints([1]), 1), [size]),
    zeroPoints: constantOf("int8", new Uint8Array(size), [size]),
  };
}

/** Of what is stored, another view: the runtime would keep what a `Reshape` gives beside it until all is loaded. */
function withShape(value: Value, shape: readonly number[]): Value {
  const { origin, dtype } = value;
  if (origin.kind !== "initializer") return ops.reshape(value, shape);
  const { name, data } = origin;
  return data.kind === "inline"
    ? constantOf(dtype, data.bytes, shape)
    : externalTensor(name, dtype, shape, data);
}

function roundRows(x: Value): RoundedRows {
  const isOfGelu = x.origin.kind === "node" && x.origin.node.opType === "Gelu";
  const zero = isOfGelu ? ZERO_POINT_OF_GELU : ZERO_POINT;
  const above = ops.mul(ops.reduceMax(x, 1), scalar(1 / (LARGEST_BYTE - zero)));
  const below = ops.mul(ops.reduceMin(x, 1), scalar(-1 / zero));
  const factors = ops.max(above, below);
  return { ...quantized.byteRows(x, factors, constantOf("uint8", Uint8Array.of(zero), [])), factors };
}
