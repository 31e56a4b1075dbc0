/**
 * DoRA (arXiv 2402.09353): the sum W + t B A, with every row (or column) brought to a trained length. The lengths
 * follow from the network's own weights.
 *
 * peft has the trained length of each row, and multiplies an edit's scale into t (peft 0.21.2, `tuners/lora/dora.py`).
 * LyCORIS and OneTrainer have that of rows [rows, 1] or columns [1, columns], and multiply an edit's scale with the
 * whole difference (LyCORIS 3, `modules/locon.py`, `apply_weight_decompose`).
 */
import type { BaseLayer } from "./base-weights.ts";

/** Numbers of W that are read at once. */
const NUMBERS_AT_ONCE = 2 ** 21;

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
export async function rowLengths(base: BaseLayer, matrices: Matrices): Promise<RowLengths> {
  const { columns } = matrices;
  const rows = matrices.up.length / matrices.rank;
  const ownSquares = new Float64Array(rows);
  const crosses = new Float64Array(rows);
  const deltaSquares = new Float64Array(rows);
  for await (const { from, own, delta } of blocksOf(base, matrices)) {
    for (let start = 0, row = from; start < own.length; start += columns, row += 1) {
      let [square, cross, deltaSquare] = [0, 0, 0];
      for (let at = start; at < start + columns; at += 1) {
        const [w, d] = [own[at]!, delta[at]!];
        square += w * w;
        cross += w * d;
        deltaSquare += d * d;
      }
      ownSquares[row] = square;
      crosses[row] = cross;
      deltaSquares[row] = deltaSquare;
    }
  }
  return { ownSquares, crosses, deltaSquares };
}

/** Adds the squares of W + t B A to those of its columns. */
export async function addColumnSquares(
  sums: Float64Array,
  base: BaseLayer,
  matrices: Matrices,
  t: number,
): Promise<void> {
  const { columns } = matrices;
  for await (const { own, delta } of blocksOf(base, matrices)) {
    for (let start = 0; start < own.length; start += columns) {
      for (let column = 0; column < columns; column += 1) {
        const value = own[start + column]! + t * delta[start + column]!;
        sums[column]! += value * value;
      }
    }
  }
}

interface Block {
  /** Its first row. */
  from: number;
  /** Rows of W, and the same of B A. */
  own: Float32Array;
  delta: Float32Array;
}

/** The next rows are read while those before them are worked on. */
async function* blocksOf(base: BaseLayer, { rank, columns, down, up }: Matrices): AsyncGenerator<Block> {
  const rows = up.length / rank;
  const rowsAtOnce = Math.max(1, Math.floor(NUMBERS_AT_ONCE / columns));
  const weight = transposed(down, rank, columns);
  const read = async (from: number): Promise<Block | undefined> => {
    if (from >= rows) return undefined;
    const to = Math.min(from + rowsAtOnce, rows);
    const [own, delta] = await Promise.all([
      base.rows(from, to),
      base.multiply(up.subarray(from * rank, to * rank), weight, rank),
    ]);
    return { from, own, delta };
  };
  let next = read(0);
  for (let from = rowsAtOnce; ; from += rowsAtOnce) {
    const block = await next;
    if (!block) return;
    next = read(from);
    // Whoever stops early never waits for it.
    next.catch(() => undefined);
    yield block;
  }
}

function transposed(matrix: Float32Array, rows: number, columns: number): Float32Array {
  const result = new Float32Array(matrix.length);
  for (let row = 0; row < rows; row += 1) {
    for (let column = 0; column < columns; column += 1)
      result[column * rows + row] = matrix[row * columns + column]!;
  }
  return result;
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
