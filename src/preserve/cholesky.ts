/** Solves small systems of linear equations. */

/**
 * By Cholesky's decomposition, with a small ridge; undefined where there is no solution.
 * @param normal of a symmetric 4 x 4 matrix, row by row, the upper half
 * @param right the four numbers of the right side
 */
export function solved(normal: Float64Array, right: Float64Array): Float64Array | undefined {
  const ridge = 1e-4 * Math.max(normal[0]!, normal[10]!);
  if (!(ridge > 0)) return undefined;
  const lower = new Float64Array(16);
  for (let j = 0; j < 4; j++) {
    for (let i = j; i < 4; i++) {
      let sum = normal[j * 4 + i]! + (i === j ? ridge : 0);
      for (let k = 0; k < j; k++) sum -= lower[i * 4 + k]! * lower[j * 4 + k]!;
      if (i === j && !(sum > 0)) return undefined;
      lower[i * 4 + j] = i === j ? Math.sqrt(sum) : sum / lower[j * 4 + j]!;
    }
  }
  const x = Float64Array.from(right);
  for (let i = 0; i < 4; i++) {
    for (let k = 0; k < i; k++) x[i]! -= lower[i * 4 + k]! * x[k]!;
    x[i]! /= lower[i * 4 + i]!;
  }
  for (let i = 3; i >= 0; i--) {
    for (let k = i + 1; k < 4; k++) x[i]! -= lower[k * 4 + i]! * x[k]!;
    x[i]! /= lower[i * 4 + i]!;
  }
  return x;
}
