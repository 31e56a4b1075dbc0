/**
 * Products with 8-bit matrices whose rows have one scale each, as products of integers: every row of the input is rounded
 * to 8 bits with a scale of its own, once for all matrices that read it. `MatMulNBits` rounds the input in blocks of the
 * matrix and scales every block's sum, which takes about twice the time where the processor adds up products of bytes.
 */
import { constantOf, ints, type Operator, scalar, type Value } from "../graph.ts";
import * as ops from "../ops.ts";
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

interface RoundedRows extends ops.ByteRows {
  /** [M, 1] */
  factors: Value;
}

/** @param isRowScaled whether the rows of a matrix have one scale each, by its blocks */
export function productOfRows(
  isRowScaled: (blocks: Value) => boolean,
): (operator: Operator) => Value[] | undefined {
  const rowsOf = once(roundRows);
  const matrixOf = once(integerMatrix);
  return (operator) => {
    if (!isProductOfBytes(operator, isRowScaled)) return undefined;
    const matrix = matrixOf(operator.inputs[1]!, operator.inputs[2]!);
    const [x, , , , , bias] = operator.inputs as [Value, ...(Value | undefined)[]];
    const parts = partsOf(x);
    const sizes = parts.map(({ shape }) => shape[1] as number);
    const columns = ops.splitSizes(matrix.integers, sizes, 1);
    const products = parts.map((part, index) => {
      const rows = rowsOf(part);
      return ops.mul(ops.byteGemm(rows, { ...matrix, integers: columns[index]! }), rows.factors);
    });
    const sum = products.reduce(ops.add);
    return [bias ? ops.add(sum, bias) : sum];
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

function isProductOfBytes(operator: Operator, isRowScaled: (blocks: Value) => boolean): boolean {
  const { opType, inputs, attributes } = operator;
  if (opType !== "MatMulNBits" || intOf(attributes, "accuracy_level") !== ROUNDED_INPUTS) return false;
  const [x, blocks] = inputs as [Value, Value];
  if (x.dtype !== "float32" || intOf(attributes, "bits") !== 8) return false;
  // Padded rows do not lie one after the other.
  return isRowScaled(blocks) && intOf(attributes, "K") % intOf(attributes, "block_size") === 0;
}

/** @param blocks uint8 [N, blocks, bytes] @param scales [N, blocks], the same in each row */
function integerMatrix(blocks: Value, scales: Value): ops.IntegerMatrix {
  const [size, count, bytes] = blocks.shape as [number, number, number];
  return {
    integers: ops.centredBytes(ops.reshape(blocks, [size, count * bytes])),
    scales: ops.reshape(ops.firstAlong(scales, 1, ints([1]), 1), [size]),
    zeroPoints: constantOf("int8", new Uint8Array(size), [size]),
  };
}

/** What lies side by side in an input: each part may be of another magnitude, and gets scales of its own. */
function partsOf(x: Value): readonly Value[] {
  if (x.origin.kind !== "node") return [x];
  const { opType, inputs, attributes } = x.origin.node;
  return opType === "Concat" && intOf(attributes, "axis") === 1 ? (inputs as readonly Value[]) : [x];
}

function roundRows(x: Value): RoundedRows {
  const isOfGelu = x.origin.kind === "node" && x.origin.node.opType === "Gelu";
  const zero = isOfGelu ? ZERO_POINT_OF_GELU : ZERO_POINT;
  const above = ops.mul(ops.reduceMax(x, 1), scalar(1 / (LARGEST_BYTE - zero)));
  const below = ops.mul(ops.reduceMin(x, 1), scalar(-1 / zero));
  const factors = ops.max(above, below);
  return { ...ops.byteRows(x, factors, constantOf("uint8", Uint8Array.of(zero), [])), factors };
}
