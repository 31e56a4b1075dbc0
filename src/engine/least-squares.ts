/** Linear least squares with a ridge, by the normal equations; memory does not grow with the number of rows. */

/** Numbers, row by row. */
export interface Matrix {
  rows: number;
  columns: number;
  data: Float64Array;
}

export const createMatrix = (rows: number, columns: number): Matrix => ({
  rows,
  columns,
  data: new Float64Array(rows * columns),
});

/** Adds `left` transposed times `right` to `sum`; `left` and `right` have the same number of rows. */
export function addTransposedProduct(sum: Matrix, left: Matrix, right: Matrix): void {
  for (let row = 0; row < left.rows; row += 1) {
    for (let i = 0; i < left.columns; i += 1) {
      addScaled(sum, i, left.data[row * left.columns + i]!, right, row);
    }
  }
}

/**
 * Solves `normal` * X = `right` by elimination, in place: `right` becomes X. There is no pivoting: `normal` must be
 * positive definite, as the Gram matrix of rows with a ridge on the diagonal is.
 */
export function solve(normal: Matrix, right: Matrix): void {
  const size = normal.rows;
  const addRow = (to: number, factor: number, from: number): void => {
    addScaled(normal, to, factor, normal, from);
    addScaled(right, to, factor, right, from);
  };
  const at = (row: number, column: number): number => normal.data[row * size + column]!;
  for (let pivot = 0; pivot < size; pivot += 1) {
    for (let row = pivot + 1; row < size; row += 1) addRow(row, -at(row, pivot) / at(pivot, pivot), pivot);
  }
  for (let pivot = size - 1; pivot >= 0; pivot -= 1) {
    for (let row = 0; row < pivot; row += 1) addRow(row, -at(row, pivot) / at(pivot, pivot), pivot);
    addRow(pivot, 1 / at(pivot, pivot) - 1, pivot);
  }
}

/** Adds a multiple of one row of `other` to one row of `sum`. */
function addScaled(sum: Matrix, row: number, factor: number, other: Matrix, otherRow: number): void {
  const { data, columns } = sum;
  const [from, to] = [otherRow * columns, row * columns];
  for (let j = 0; j < columns; j += 1) data[to + j]! += factor * other.data[from + j]!;
}
