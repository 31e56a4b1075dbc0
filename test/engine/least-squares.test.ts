import { describe, expect, it } from "vitest";
import { addTransposedProduct, createMatrix, type Matrix, solve } from "../../src/engine/least-squares.ts";
import { randomNumbers } from "../images/samples.ts";

function matrixOf(rows: number[][]): Matrix {
  const matrix = createMatrix(rows.length, rows[0]!.length);
  matrix.data.set(rows.flat());
  return matrix;
}

describe("least squares", () => {
  it("adds products of transposed matrices", () => {
    const sum = createMatrix(2, 3);
    const [left, right] = [
      matrixOf([
        [1, 2],
        [3, 4],
      ]),
      matrixOf([
        [1, 0, 2],
        [0, 1, 3],
      ]),
    ];
    addTransposedProduct(sum, left, right);
    expect([...sum.data]).toEqual([1, 3, 11, 2, 4, 16]);
    addTransposedProduct(sum, left, right);
    expect([...sum.data]).toEqual([2, 6, 22, 4, 8, 32]);
  });

  it("find the weights that rows were made with", () => {
    const random = randomNumbers(1);
    const weights = Array.from({ length: 7 }, () => [random() - 0.5, random() * 9]);
    const inputs = Array.from({ length: 40 }, () => weights.map(() => random() - 0.5));
    const outputs = inputs.map((row) =>
      [0, 1].map((column) => row.reduce((sum, value, i) => sum + value * weights[i]![column]!, 0)),
    );
    const [normal, right] = [createMatrix(7, 7), createMatrix(7, 2)];
    addTransposedProduct(normal, matrixOf(inputs), matrixOf(inputs));
    addTransposedProduct(right, matrixOf(inputs), matrixOf(outputs));
    solve(normal, right);
    for (const [index, weight] of weights.flat().entries()) expect(right.data[index]).toBeCloseTo(weight, 10);
  });

  it("have an answer with a ridge where an input is always the same as another", () => {
    const normal = matrixOf([
      [2.1, 2],
      [2, 2.1],
    ]);
    const right = matrixOf([[4.1], [4.1]]);
    solve(normal, right);
    expect(right.data[0]).toBeCloseTo(1, 10);
    expect(right.data[1]).toBeCloseTo(1, 10);
  });
});
