/** Products with matrices of 8 and 4 bits, and what they are made of; checked as the other operators are (`ops.ts`). */
import { onnxCodeOf } from "./dtype.ts";
import { constantOf, type Dim, ints, makeNode, scalar, showShape, type Value } from "./graph.ts";
import { checkTypes, int, one } from "./operator.ts";
import { add, mul, reshape, sizeAlong, transpose } from "./ops.ts";

/** A matrix [N, K] in few bits, in the layout of the runtime's `MatMulNBits`. */
export interface BlockMatrix {
  shape: readonly [rows: number, columns: number];
  bits: 4 | 8;
  /** Numbers that share a scale. */
  blockSize: 32 | 128;
  /** uint8 [N, blocks, blockSize * bits / 8] */
  blocks: Value;
  /** In the type of the input: [N, blocks]. */
  scales: Value;
  /** 1 multiplies in float32; 4 also rounds the input to 8 bits, block by block, which is faster. */
  accuracyLevel: 1 | 4;
}

/** x [M, K] times a matrix [N, K] in few bits, transposed, plus bias [N]: [M, N]. */
export function matmulNBits(x: Value, matrix: BlockMatrix, bias?: Value): Value {
  const { bits, blockSize, blocks, scales, accuracyLevel } = matrix;
  const [rowCount, columns] = matrix.shape;
  const count = Math.ceil(columns / blockSize);
  const isFitting =
    showShape(blocks.shape) === showShape([rowCount, count, (blockSize * bits) / 8]) &&
    showShape(scales.shape) === showShape([rowCount, count]);
  if (x.shape.length !== 2 || x.shape[1] !== columns || !isFitting) {
    throw new Error(
      `MatMulNBits of ${showShape(x.shape)} with ${bits}-bit blocks ${showShape(blocks.shape)} and scales ${showShape(scales.shape)} for ${showShape(matrix.shape)}.`,
    );
  }
  checkTypes("MatMulNBits", [x, scales, bias]);
  const attributes = {
    K: int(columns),
    N: int(rowCount),
    bits: int(bits),
    block_size: int(blockSize),
    accuracy_level: int(accuracyLevel),
  };
  const inputs = bias ? [x, blocks, scales, undefined, undefined, bias] : [x, blocks, scales];
  return one("MatMulNBits", inputs, [x.shape[0]!, rowCount], { attributes, domain: "com.microsoft" });
}

/** Rows of bytes: (bytes - zeroPoint) [M, K] times a factor of each row are the numbers. */
export interface ByteRows {
  /** uint8 [M, K] */
  bytes: Value;
  /** uint8 [] */
  zeroPoint: Value;
}

/** x [M, K] divided by a factor of each row, [M, 1], rounded to the nearest byte after `zeroPoint` is added. */
export function byteRows(x: Value, factors: Value, zeroPoint: Value): ByteRows {
  const flat = reshape(factors, [x.shape[0]!]);
  const zeroPoints = makeNode(
    "Expand",
    [reshape(zeroPoint, [1]), sizeAlong(flat, 0)],
    [{ dtype: "uint8", shape: flat.shape }],
  )[0]!;
  const attributes = { axis: int(0) };
  const [bytes] = makeNode("QuantizeLinear", [x, flat, zeroPoints], [{ dtype: "uint8", shape: x.shape }], {
    attributes,
  });
  return { bytes: bytes!, zeroPoint };
}

/** A matrix [N, K] of integers: int8 [N, K] times a float32 factor of each row, [N]. */
export interface IntegerMatrix {
  integers: Value;
  scales: Value;
  /** int8 [N], zeros: the operator wants one for each row. */
  zeroPoints: Value;
}

/** Rows of bytes, without their factors, times a matrix of integers, transposed: float32 [M, N]. */
export function byteGemm(
  { bytes, zeroPoint }: ByteRows,
  { integers, scales, zeroPoints }: IntegerMatrix,
): Value {
  const [numRows, columns] = bytes.shape as [Dim, Dim];
  const [size, matrixColumns] = integers.shape as [number, number];
  if (columns !== matrixColumns || scales.shape[0] !== size || zeroPoints.shape[0] !== size) {
    throw new Error(
      `QGemm of ${showShape(bytes.shape)} and ${showShape(integers.shape)} with scales ${showShape(scales.shape)}.`,
    );
  }
  const inputs = [bytes, scalar(1), zeroPoint, integers, scales, zeroPoints];
  return makeNode("QGemm", inputs, [{ dtype: "float32", shape: [numRows, size] }], {
    attributes: { transB: int(1) },
    domain: "com.microsoft",
  })[0]!;
}

/** int8 as bytes from 0 to 255, 128 of which stands for 0. Of a weight, the runtime does this once. */
export function unsignedBytes(integers: Value): Value {
  const sign = constantOf("int8", Uint8Array.of(0x80), []);
  const turned = one("BitwiseXor", [integers, sign], integers.shape);
  const attributes = { to: int(onnxCodeOf("uint8")) };
  return makeNode("Cast", [turned], [{ dtype: "uint8", shape: integers.shape }], { attributes })[0]!;
}

/** The same bits as int8. */
export const signedBytes = (bytes: Value): Value =>
  makeNode("Cast", [bytes], [{ dtype: "int8", shape: bytes.shape }], {
    attributes: { to: int(onnxCodeOf("int8")) },
  })[0]!;

/** A matrix [N, K] rounded to 8 bits, with a scale for each row: a number is q * scale. */
export interface RowMatrix {
  /** int8 [K, N] */
  columns: Value;
  /** float32 [N] */
  scales: Value;
}

/**
 * x [M, K] times such a matrix, transposed, plus bias [N]: float32 [M, N]. x is rounded to 8 bits when it runs, with one
 * scale for all of it, and the sums of products are exact.
 */
export function dynamicProduct(x: Value, { columns, scales }: RowMatrix, bias?: Value): Value {
  const [columnCount, rowCount] = columns.shape;
  if (
    x.shape.length !== 2 ||
    x.shape[1] !== columnCount ||
    showShape(scales.shape) !== showShape([rowCount!])
  ) {
    throw new Error(
      `DynamicQuantizeMatMul of ${showShape(x.shape)} with ${showShape(columns.shape)} and scales ${showShape(scales.shape)}.`,
    );
  }
  const inputs = bias ? [x, columns, scales, undefined, bias] : [x, columns, scales];
  return one("DynamicQuantizeMatMul", inputs, [x.shape[0]!, rowCount!], { domain: "com.microsoft" });
}

/** The matrix [N, K], float32, rounded to 8 bits by rows. */
export function rowMatrix(matrix: Value): RowMatrix {
  const { whole, scales } = roundedRows(matrix, "int8");
  return { columns: transpose(whole, [1, 0]), scales };
}

/** The matrix [N, K], float32, rounded to 8 bits in blocks of `blockSize`, a divisor of K. */
export function blockMatrix(
  matrix: Value,
  { blockSize, accuracyLevel }: Pick<BlockMatrix, "blockSize" | "accuracyLevel">,
): BlockMatrix {
  const [rowCount, columns] = matrix.shape as [number, number];
  const count = columns / blockSize;
  const { whole, scales } = roundedRows(reshape(matrix, [rowCount * count, blockSize]), "uint8");
  return {
    shape: [rowCount, columns],
    bits: 8,
    blockSize,
    blocks: reshape(whole, [rowCount, count, blockSize]),
    scales: reshape(scales, [rowCount, count]),
    accuracyLevel,
  };
}

/** Keeps a row of zeros from being divided by zero. */
const LEAST_SCALE = 1e-30;

/** Each row of x [N, K] as whole numbers of 8 bits around 0 or 128, the largest 127 from there, and its scale [N]. */
function roundedRows(x: Value, dtype: "int8" | "uint8"): { whole: Value; scales: Value } {
  const [rowCount] = x.shape as [number];
  const largest = one("ReduceMax", [one("Abs", [x], x.shape), ints([1])], [rowCount], {
    attributes: { keepdims: int(0) },
  });
  const scales = mul(add(largest, scalar(LEAST_SCALE)), scalar(1 / 127));
  const zeros = new Uint8Array(rowCount).fill(dtype === "int8" ? 0 : 128);
  const inputs = [x, scales, constantOf(dtype, zeros, [rowCount])];
  const attributes = { axis: int(0) };
  return {
    whole: makeNode("QuantizeLinear", inputs, [{ dtype, shape: x.shape }], { attributes })[0]!,
    scales,
  };
}
