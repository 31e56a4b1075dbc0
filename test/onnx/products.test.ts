/** Products by other kernels give about the same numbers, and only where a stored matrix may be rounded. */
import { describe, expect, it } from "vitest";
import {
  kernelsFor,
  type ProductKernel,
  roundableProducts,
  withProducts,
} from "../../src/onnx/forms/products.ts";
import { constant, input, operatorsOf, type Value } from "../../src/onnx/graph.ts";
import * as ops from "../../src/onnx/ops.ts";
import { decibelsBetween } from "../../src/runtime/decibels.ts";
import { DrawnNumbers } from "../../src/runtime/drawn-numbers.ts";
import { evaluateAll } from "../support/onnx.ts";

const numbers = new DrawnNumbers(5);
const drawn = (shape: readonly number[]): Value =>
  constant(numbers.normal(shape).data as Float32Array, shape);
const x = input("x", "float32", ["rows", 256]);
const isAny = (): boolean => true;
const always = (kernel: ProductKernel) => (): ProductKernel => kernel;
const opTypes = (outputs: Record<string, Value>): string[] =>
  operatorsOf(outputs).map(({ opType }) => opType);

describe("a product with a stored matrix", () => {
  const outputs = { y: ops.gemm(x, drawn([48, 256]), drawn([48])), plain: ops.gemm(x, drawn([32, 256])) };
  const feeds = { x: numbers.normal([7, 256]) };

  it.each([
    ["rows", "DynamicQuantizeMatMul", 36],
    ["blocks", "MatMulNBits", 39],
  ] as const)("is about the same in %s", async (kernel, opType, leastDecibels) => {
    const rounded = withProducts(outputs, isAny, always(kernel));
    expect(opTypes(rounded)).toContain(opType);
    expect(opTypes(rounded)).not.toContain("Gemm");
    const expected = await evaluateAll(outputs, feeds);
    const actual = await evaluateAll(rounded, feeds);
    for (const [name, { data, shape }] of Object.entries(expected)) {
      expect(actual[name]!.shape).toEqual(shape);
      expect(decibelsBetween(actual[name]!.data, data)).toBeGreaterThan(leastDecibels);
    }
  });

  it("is exact in the kernel of float32", () => {
    expect(withProducts(outputs, isAny, always("float32"))["y"]).toBe(outputs.y);
  });

  it("is computed by the kernel of its shape", () => {
    const rounded = withProducts(outputs, isAny, ({ size }) => (size === 48 ? "rows" : "float32"));
    expect(opTypes({ y: rounded["y"]! })).toContain("DynamicQuantizeMatMul");
    expect(rounded["plain"]).toBe(outputs.plain);
  });

  it("keeps rows of zeros", async () => {
    const matrix = new Float32Array(2 * 256).fill(1, 256);
    const zero = { y: ops.gemm(x, constant(matrix, [2, 256])) };
    const { y } = await evaluateAll(withProducts(zero, isAny, always("rows")), {
      x: { data: new Float32Array(256).fill(0.5), shape: [1, 256] },
    });
    expect(y!.data[0]).toBe(0);
    expect(y!.data[1]).toBeCloseTo(128, 3);
  });
});

describe("a product", () => {
  it("is found with the rows that it is multiplied with", () => {
    const outputs = { y: ops.gemm(ops.gemm(x, drawn([128, 256])), drawn([64, 128])) };
    expect(roundableProducts(outputs, isAny)).toEqual([
      { rows: "rows", columns: 256, size: 128 },
      { rows: "rows", columns: 128, size: 64 },
    ]);
  });

  it("stays as it is where the matrix may not be rounded", () => {
    const outputs = { y: ops.gemm(x, drawn([48, 256])) };
    expect(withProducts(outputs, () => false, always("rows"))["y"]).toBe(outputs.y);
  });

  it("stays as it is where the matrix is an input, as a LoRA's is", () => {
    const outputs = { y: ops.gemm(x, input("a", "float32", ["rank", 256])) };
    expect(withProducts(outputs, isAny, always("rows"))["y"]).toBe(outputs.y);
  });

  it("stays as it is where something computed is added to it", () => {
    const low = ops.gemm(x, drawn([8, 256]));
    const outputs = { y: ops.gemm(low, drawn([256, 8]), ops.mul(x, x)) };
    expect(roundableProducts(outputs, isAny)).toEqual([{ rows: "rows", columns: 256, size: 8 }]);
  });

  it("has blocks only where they fill its rows", () => {
    expect(kernelsFor({ columns: 256, size: 8 })).toEqual(["float32", "rows", "blocks"]);
    expect(kernelsFor({ columns: 192, size: 8 })).toEqual(["float32", "rows"]);
  });
});
