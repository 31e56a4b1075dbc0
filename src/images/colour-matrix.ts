/** The linear part of colour conversions: from and to XYZ, between whites, and 3 x 3 matrices for it. */

export type Triple = readonly [number, number, number];
/** Rows. */
export type Matrix = readonly [Triple, Triple, Triple];
/** Chromaticities x, y of red, green, blue and white. */
export type Primaries = readonly [number, number, number, number, number, number, number, number];

export const SRGB_PRIMARIES: Primaries = [0.64, 0.33, 0.3, 0.6, 0.15, 0.06, 0.3127, 0.329];
/** The white of colour profiles and of Lab. */
export const D50: Triple = [0.9642, 1, 0.8249];
/** https://www.color.org/chadtag.xalter: to another white, as ICC profiles have it. */
const BRADFORD: Matrix = [
  [0.8951, 0.2664, -0.1614],
  [-0.7502, 1.7135, 0.0367],
  [0.0389, -0.0685, 1.0296],
];

/** From XYZ of a white to linear light in sRGB's primaries. */
export const toSrgbFrom = (white: Triple): Matrix =>
  multiplied(inverted(toXyz(SRGB_PRIMARIES)), between(white, whiteOf(SRGB_PRIMARIES)));

/** From XYZ of a white to that of colour profiles. */
export const toD50From = (white: Triple): Matrix => between(white, D50);

/** Adapts from one white to another by Bradford's transform. */
function between(from: Triple, to: Triple): Matrix {
  const [before, after] = [applied(BRADFORD, from), applied(BRADFORD, to)];
  const scaled = BRADFORD.map((row, i) => row.map((value) => (value * after[i]!) / before[i]!));
  return multiplied(inverted(BRADFORD), scaled as unknown as Matrix);
}

export function toXyz(primaries: Primaries): Matrix {
  const columns = [0, 2, 4].map((at) => xyzOf(primaries[at]!, primaries[at + 1]!));
  const matrix = [0, 1, 2].map((row) => columns.map((column) => column[row]!)) as unknown as Matrix;
  const scale = applied(inverted(matrix), whiteOf(primaries));
  return matrix.map((row) => row.map((value, i) => value * scale[i]!)) as unknown as Matrix;
}

export const whiteOf = (primaries: Primaries): Triple => xyzOf(primaries[6], primaries[7]);
const xyzOf = (x: number, y: number): Triple => [x / y, 1, (1 - x - y) / y];

export function transform(matrix: Matrix, x: number, y: number, z: number, out: Float64Array): void {
  for (let i = 0; i < 3; i++) {
    const row = matrix[i]!;
    out[i] = row[0] * x + row[1] * y + row[2] * z;
  }
}

function applied(matrix: Matrix, [x, y, z]: Triple): Triple {
  const out = new Float64Array(3);
  transform(matrix, x, y, z, out);
  return [out[0]!, out[1]!, out[2]!];
}

export function multiplied(left: Matrix, right: Matrix): Matrix {
  const at = (row: Triple, column: number): number =>
    row[0] * right[0][column]! + row[1] * right[1][column]! + row[2] * right[2][column]!;
  return left.map((row) => [at(row, 0), at(row, 1), at(row, 2)]) as unknown as Matrix;
}

/** By cofactors. */
export function inverted(matrix: Matrix): Matrix {
  const minor = (row: number, column: number): number => {
    const [r, s] = [(row + 1) % 3, (row + 2) % 3];
    const [c, d] = [(column + 1) % 3, (column + 2) % 3];
    return matrix[r]![c]! * matrix[s]![d]! - matrix[r]![d]! * matrix[s]![c]!;
  };
  const determinant = [0, 1, 2].reduce((sum, column) => sum + matrix[0][column]! * minor(0, column), 0);
  return [0, 1, 2].map((row) =>
    [0, 1, 2].map((column) => minor(column, row) / determinant),
  ) as unknown as Matrix;
}
