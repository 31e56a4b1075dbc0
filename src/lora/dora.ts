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

/** @param columnSquares takes the squares of the columns of W + t B A, which are added to it, for `t` */
export async function rowLengths(
  base: BaseLayer,
  { rank, columns, down, up }: Matrices,
  columnSquares?: { sums: Float64Array; t: number },
): Promise<RowLengths> {
  const rows = up.length / rank;
  const [ownSquares, crosses, deltaSquares] = [0, 0, 0].map(() => new Float64Array(rows)) as [
    Float64Array,
    Float64Array,
    Float64Array,
  ];
  const delta = new Float64Array(columns);
  for (let from = 0; from < rows; from += ROWS_AT_ONCE) {
    const to = Math.min(from + ROWS_AT_ONCE, rows);
    const block = await base.rows(from, to);
    for (let row = from; row < to; row += 1) {
      delta.fill(0);
      for (let index = 0; index < rank; index += 1) {
        const factor = up[row * rank + index]!;
        const start = index * columns;
        for (let column = 0; column < columns; column += 1) delta[column]! += factor * down[start + column]!;
      }
      const start = (row - from) * columns;
      let [own, cross, square] = [0, 0, 0];
      for (let column = 0; column < columns; column += 1) {
        const weight = block[start + column]!;
        const change = delta[column]!;
        own += weight * weight;
        cross += weight * change;
        square += change * change;
        if (columnSquares) columnSquares.sums[column]! += (weight + columnSquares.t * change) ** 2;
      }
      ownSquares[row] = own;
      crosses[row] = cross;
      deltaSquares[row] = square;
    }
  }
  return { ownSquares, crosses, deltaSquares };
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
