/**
 * DoRA (arXiv 2402.09353): the sum W + t B A, with every row (or column) brought to a trained length. The lengths
 * follow from the network's own weights.
 *
 * peft has the trained length of each row, and multiplies an edit's scale into t (peft 0.21.2, `tuners/lora/dora.py`).
 * LyCORIS and OneTrainer have that of rows [rows, 1] or columns [1, columns], and multiply an edit's scale with the
 * whole difference (LyCORIS 3, `modules/locon.py`, `apply_weight_decompose`).
 */
import type { BaseLayer } from "./base-weights.ts";

/** Rows that are read at once. */
const ROWS_AT_ONCE = 64;

/** What the length of each row of W + t B A follows from: w^2 + 2 t c + t^2 d^2. */
export interface RowLengths {
  /** Squared lengths of the rows of W. */
  ownSquares: Float64Array;
  /** Products of the rows of W and B A. */
  crosses: Float64Array;
  /** Squared lengths of the rows of B A. */
  deltaSquares: Float64Array;
}

interface Matrices {
  rank: number;
  columns: number;
  down: Float32Array;
  /** Without any factor. */
  up: Float32Array;
}

/** From one pass over W, whose rows are read some at a time. */
export async function rowLengths(
  base: BaseLayer,
  { rank, columns, down, up }: Matrices,
): Promise<RowLengths> {
  const rows = up.length / rank;
  const ownSquares = new Float64Array(rows);
  const crosses = new Float64Array(rows);
  const deltaSquares = new Float64Array(rows);
  // The products of the rows of A, from which those of the rows of B A follow.
  const gram = Array.from({ length: rank }, (_, index) =>
    products(down, rank, columns, down, index * columns),
  );
  for (let from = 0; from < rows; from += ROWS_AT_ONCE) {
    const to = Math.min(from + ROWS_AT_ONCE, rows);
    const block = await base.rows(from, to);
    for (let row = from; row < to; row += 1) {
      const start = (row - from) * columns;
      let square = 0;
      for (let at = start; at < start + columns; at += 1) square += block[at]! * block[at]!;
      ownSquares[row] = square;
      const factors = up.subarray(row * rank, (row + 1) * rank);
      crosses[row] = dot(factors, products(down, rank, columns, block, start));
      deltaSquares[row] = dot(
        factors,
        gram.map((line) => dot(factors, line)),
      );
    }
  }
  return { ownSquares, crosses, deltaSquares };
}

/** Adds the squares of W + t B A to those of its columns. */
export async function addColumnSquares(
  sums: Float64Array,
  base: BaseLayer,
  { rank, columns, down, up }: Matrices,
  t: number,
): Promise<void> {
  const rows = up.length / rank;
  const sum = new Float64Array(columns);
  for (let from = 0; from < rows; from += ROWS_AT_ONCE) {
    const to = Math.min(from + ROWS_AT_ONCE, rows);
    const block = await base.rows(from, to);
    for (let row = from; row < to; row += 1) {
      const start = (row - from) * columns;
      for (let column = 0; column < columns; column += 1) sum[column] = block[start + column]!;
      for (let index = 0; index < rank; index += 1) {
        const factor = t * up[row * rank + index]!;
        const line = index * columns;
        for (let column = 0; column < columns; column += 1) sum[column]! += factor * down[line + column]!;
      }
      for (let column = 0; column < columns; column += 1) sums[column]! += sum[column]! ** 2;
    }
  }
}

/** The products of A's rows with one row of another matrix; four at a time, which reads that row a quarter as often. */
function products(
  down: Float32Array,
  rank: number,
  columns: number,
  other: Float32Array,
  start: number,
): Float64Array {
  const result = new Float64Array(rank);
  for (let index = 0; index < rank; index += 4) {
    const [one, two, three, four] = [0, 1, 2, 3].map(
      (next) => Math.min(index + next, rank - 1) * columns,
    ) as [number, number, number, number];
    let [a, b, c, d] = [0, 0, 0, 0];
    for (let column = 0; column < columns; column += 1) {
      const value = other[start + column]!;
      a += value * down[one + column]!;
      b += value * down[two + column]!;
      c += value * down[three + column]!;
      d += value * down[four + column]!;
    }
    result.set([a, b, c, d].slice(0, rank - index), index);
  }
  return result;
}

function dot(one: ArrayLike<number>, other: ArrayLike<number>): number {
  let sum = 0;
  for (let index = 0; index < one.length; index += 1) sum += one[index]! * other[index]!;
  return sum;
}

/** Trained lengths over those of the rows of W + t B A. */
export function rowFactors(
  magnitudes: Float32Array,
  { ownSquares, crosses, deltaSquares }: RowLengths,
  t: number,
): Float64Array {
  return Float64Array.from(magnitudes, (magnitude, row) => {
    const square = ownSquares[row]! + 2 * t * crosses[row]! + t * t * deltaSquares[row]!;
    return magnitude / Math.sqrt(square);
  });
}
