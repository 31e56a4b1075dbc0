/** Products with 8-bit matrices in whole rows of integers, beside the float32 product with the same numbers. */
import { expect, it } from "vitest";
import { addsByteProducts } from "../../src/machine/processor.ts";
import { constant, floats, input, operatorsOf, type Value } from "../../src/onnx/graph.ts";
import { ALL_FORMS, withForms } from "../../src/onnx/kernel-forms.ts";
import * as ops from "../../src/onnx/ops.ts";
import * as quantized from "../../src/onnx/quantized-ops.ts";
import { readConverted } from "../../src/weights/converted.ts";
import { quantize } from "../../src/quantize/quantize.ts";
import type { Tensor } from "../../src/runtime/session.ts";
import { difference } from "../support/compare.ts";
import { evaluateAll, tensor } from "../support/onnx.ts";
import { temporaryFolder } from "../support/temporary.ts";

const ROWS = { ...ALL_FORMS, byteProducts: "rows" } as const;
/** A float32 factor is not a whole number; sums of integers are exact. */
const TOLERANCE = 1e-6;
const [SIZE, COLUMNS] = [3, 128];

/** From -127 to 127, all of which occur in each row, so that one step of a row's scale is 1. */
const integer = (row: number, column: number): number => ((row * 37 + column * 91 + column ** 2) % 255) - 127;
const rowOf = (row: number): number[] =>
  Array.from({ length: COLUMNS }, (_, column) => (column === 5 ? 127 : integer(row, column)));

const SCALES = [0.5, 0.25, 2];

/** The matrix [SIZE, COLUMNS] of these integers, times a scale of each row. */
async function storedMatrix(): Promise<{ matrix: quantized.BlockMatrix; numbers: Value; folder: string }> {
  const key = "transformer_blocks.0.attn.to_q.weight";
  const values = SCALES.flatMap((scale, row) => rowOf(row).map((value) => value * scale));
  const source = {
    name: "test",
    files: [],
    byteLength: 0,
    *weights() {
      const rows = (from: number, to: number): Promise<Float32Array> =>
        Promise.resolve(Float32Array.from(values.slice(from * COLUMNS, to * COLUMNS)));
      yield { key, shape: [SIZE, COLUMNS], rows };
    },
  };
  const file = `${await temporaryFolder()}/int8.safetensors`;
  await quantize(source, "int8", file, { hash: "test" });
  const { weights } = await readConverted("test", file);
  const matrix = weights.scope("transformer_blocks.0.attn.to_q").matrix("weight", [SIZE, COLUMNS]);
  return {
    matrix: matrix as quantized.BlockMatrix,
    numbers: floats(values, [SIZE, COLUMNS]),
    folder: weights.baseFolder,
  };
}

type Outputs = Record<string, Value>;
const inRows = (outputs: Outputs): Outputs => withForms(outputs, ROWS);
const count = (outputs: Outputs, opType: string): number =>
  operatorsOf(outputs).filter((operator) => operator.opType === opType).length;

async function expectSame(
  actual: Outputs,
  wanted: Outputs,
  feeds: Record<string, Tensor>,
  folder: string,
): Promise<void> {
  const [found, exact] = [await evaluateAll(actual, feeds, folder), await evaluateAll(wanted, feeds, folder)];
  for (const [name, { data, shape }] of Object.entries(exact)) {
    expect(found[name]!.shape).toEqual(shape);
    expect(difference(found[name]!.data, data).relative).toBeLessThanOrEqual(TOLERANCE);
  }
}

const x = input("x", "float32", ["rows", COLUMNS]);

// Elsewhere the runtime adds up pairs of products in 16 bits.
it.skipIf(!addsByteProducts())("are exact where the input's rows are integers times a factor", async () => {
  const { matrix, numbers, folder } = await storedMatrix();
  const bias = floats([1, -2, 3]);
  const changed = inRows({ y: quantized.matmulNBits(x, matrix, bias) });
  expect([count(changed, "QGemm"), count(changed, "MatMulNBits")]).toEqual([1, 0]);
  // A row of zeros, one of the largest bytes, and one a thousandth of the first.
  const feeds = {
    x: tensor(
      [rowOf(7), Array.from({ length: COLUMNS }, () => 0), Array.from({ length: COLUMNS }, () => 127)]
        .concat([rowOf(9).map((value) => value / 1000)])
        .flat(),
      [4, COLUMNS],
    ),
  };
  await expectSame(changed, { y: ops.gemm(x, numbers, bias) }, feeds, folder);
});

it.skipIf(!addsByteProducts())("round an input once for all matrices that read it", async () => {
  const { matrix, numbers, folder } = await storedMatrix();
  const outputs = {
    y: quantized.matmulNBits(x, matrix),
    z: quantized.matmulNBits(x, matrix, floats([1, 2, 3])),
  };
  const changed = inRows(outputs);
  expect([count(changed, "QGemm"), count(changed, "QuantizeLinear")]).toEqual([2, 1]);
  const wanted = { y: ops.gemm(x, numbers), z: ops.gemm(x, numbers, floats([1, 2, 3])) };
  await expectSame(changed, wanted, { x: tensor(rowOf(3), [1, COLUMNS]) }, folder);
});

it.skipIf(!addsByteProducts())("keep more bits for what GELU gives, which is hardly below 0", async () => {
  const { matrix } = await storedMatrix();
  const activated = ops.gelu(x, { approximate: true });
  const zeroPoint = (outputs: Outputs): number => {
    const product = operatorsOf(outputs).find(({ opType }) => opType === "QGemm");
    const { origin } = product!.inputs[2]!;
    if (origin.kind !== "initializer" || origin.data.kind !== "inline") throw new Error("no constant");
    return origin.data.bytes[0]!;
  };
  expect(zeroPoint(inRows({ y: quantized.matmulNBits(activated, matrix) }))).toBe(32);
  expect(zeroPoint(inRows({ y: quantized.matmulNBits(x, matrix) }))).toBe(128);
});

it.skipIf(!addsByteProducts())("leave other products as they are", async () => {
  const { matrix } = await storedMatrix();
  const blocks = constant(new Uint8Array(SIZE * COLUMNS), [SIZE, 1, COLUMNS]);
  const unchanged = {
    exact: quantized.matmulNBits(x, { ...matrix, accuracyLevel: 1 }),
    unknown: quantized.matmulNBits(x, { ...matrix, blocks }),
    float: ops.gemm(x, floats(rowOf(1), [1, COLUMNS])),
  };
  for (const [name, value] of Object.entries(unchanged)) expect(inRows({ [name]: value })[name]).toBe(value);
});
