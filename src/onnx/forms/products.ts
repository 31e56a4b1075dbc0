/**
 * Products with stored matrices, each by the kernel that suits its shape: in float32, or of 8 bits with 8 bits, whose
 * rounding is part of the graph and done once, when the runtime loads it.
 */
import { type Dim, ints, type Operator, operatorsOf, rewrite, type Value } from "../graph.ts";
import * as quantized from "../quantized-ops.ts";
import * as ops from "../ops.ts";
import { isWeight } from "./weights.ts";

/**
 * `rows` gives each row of the matrix a scale, and all numbers of the input another; `blocks` gives every 128 numbers of
 * either a scale, which is more exact.
 */
export const PRODUCT_KERNELS = ["float32", "rows", "blocks"] as const;
export type ProductKernel = (typeof PRODUCT_KERNELS)[number];

/** A matrix [size, columns] of one or more layers. */
export interface MatrixShape {
  columns: number;
  size: number;
}

/** The kernel for a matrix. */
export type KernelOf = (shape: MatrixShape) => ProductKernel;

type Outputs = Readonly<Record<string, Value>>;
/** Whether the matrix with this name may be rounded. */
type IsRounded = (name: string, shape: readonly number[]) => boolean;

const BLOCK_SIZE = 128;

/** The kernels that there are for a matrix. */
export const kernelsFor = ({ columns }: MatrixShape): ProductKernel[] =>
  PRODUCT_KERNELS.filter((kernel) => kernel !== "blocks" || columns % BLOCK_SIZE === 0);

/** The matrices of a graph that may be rounded, with the rows that each is multiplied with. */
export function roundableProducts(outputs: Outputs, isRounded: IsRounded): (MatrixShape & { rows: Dim })[] {
  return operatorsOf(outputs).flatMap((operator) => {
    const matrix = matrixOf(operator, isRounded);
    if (matrix === undefined) return [];
    const [size, columns] = matrix.shape as [number, number];
    return [{ rows: operator.inputs[0]!.shape[0]!, columns, size }];
  });
}

/** Images whose rows a graph's products have one after the other: as many as `count` [1] says, at most `most`. */
export interface ProductImages {
  count: Value;
  most: number;
}

/**
 * The graph with the kernels that `kernelOf` names in the place of products in float32.
 * @param images if there are several: what is rounded as a whole is rounded for each, as it is for one
 */
export function withProducts(
  outputs: Outputs,
  isRounded: IsRounded,
  kernelOf: KernelOf,
  images?: ProductImages,
): Outputs {
  return rewrite(outputs, (operator) => {
    const matrix = matrixOf(operator, isRounded);
    if (matrix === undefined) return undefined;
    const [x, , bias] = operator.inputs as [Value, Value, Value?];
    const [size, columns] = matrix.shape as [number, number];
    const kernel = kernelOf({ columns, size });
    if (kernel === "rows") return [rowProduct(x, quantized.rowMatrix(matrix), bias, images)];
    if (kernel === "float32") return undefined;
    const blocks = quantized.blockMatrix(matrix, { blockSize: BLOCK_SIZE, accuracyLevel: 4 });
    return [quantized.matmulNBits(x, blocks, bias)];
  });
}

function rowProduct(
  x: Value,
  matrix: quantized.RowMatrix,
  bias: Value | undefined,
  images: ProductImages | undefined,
): Value {
  if (images === undefined) return quantized.dynamicProduct(x, matrix, bias);
  const columns = x.shape[1] as number;
  const sizes = ops.joinedInts([images.count, ints([-1, columns])]);
  const all = ops.reshapeTo(x, sizes, ["batch", "length", columns]);
  const products = Array.from({ length: images.most }, (_, image) => {
    const rows = ops.reshape(ops.rows(all, image, image + 1, 1), ["length", columns]);
    return quantized.dynamicProduct(rows, matrix, bias);
  });
  return ops.concat(products, 0, String(x.shape[0]));
}

/** The stored matrix of a product in float32, if it may be rounded. */
function matrixOf({ opType, inputs }: Operator, isRounded: IsRounded): Value | undefined {
  const [x, matrix, bias] = inputs;
  if (opType !== "Gemm" || x?.dtype !== "float32" || matrix === undefined || !isWeight(matrix))
    return undefined;
  // A sum with something else is no bias: what a LoRA adds is a product of its own.
  if (bias !== undefined && (bias.shape.length !== 1 || !isWeight(bias))) return undefined;
  return isRounded(nameOf(matrix), matrix.shape as readonly number[]) ? matrix : undefined;
}

/** That of the stored tensor which a matrix is made of first. */
function nameOf({ origin }: Value): string {
  if (origin.kind === "node") return nameOf(origin.node.inputs[0]!);
  return origin.name;
}
