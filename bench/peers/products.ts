/**
 * Ways to multiply by an 8-bit matrix at the published width: what a product takes of one thread, by turns, and how far it
 * is from float32. The processor's time is counted, which other programs disturb less than that of the clock.
 */
import { tmpdir } from "node:os";
import {
  buildModel,
  constant,
  constantOf,
  input,
  makeNode,
  scalar,
  type Value,
} from "../../src/onnx/graph.ts";
import { ALL_FORMS, withForms } from "../../src/onnx/kernel-forms.ts";
import * as ops from "../../src/onnx/ops.ts";
import * as quantized from "../../src/onnx/quantized-ops.ts";
import { Session } from "../../src/runtime/session.ts";
import { randomNormal } from "../../src/sampling/random.ts";
import { medianOf, rounded } from "../../tools/statistics.ts";
import { agreementOf } from "../full-size/agreement.ts";
import type { Bench } from "./part.ts";

/** x [rows, columns] times a matrix [size, columns], transposed. */
interface Shape {
  rows: number;
  columns: number;
  size: number;
}

export interface WayReport {
  /** Billions of operations per second of one thread. */
  gflops: number;
  /** Time of `MatMulNBits` with blocks of 128 over its own: the median of the rounds. */
  speedup: number;
  /** Power of the float32 product over that of the difference; null for the float32 product itself, and for `BARE`. */
  decibels: number | null;
}

/** By the shape, such as `2560 * 3072 by 12288`, and the way. */
export type ProductsReport = Record<string, Record<string, WayReport>>;

/** What every other way is set beside. */
export const BLOCKS_OF_128 = "MatMulNBits, blocks of 128";
/** Its sums are not scaled, so they are no product to compare. */
export const BARE = "MatMulInteger, with nothing around it";
export const IN_ROWS = "QGemm, a scale per row";

/** Rows whose products are compared, and the deviation of a published matrix. */
const COMPARED = 64;
const DEVIATION = 0.02;
/** Rows that a product in parts takes at once. */
const PART = 256;
const SEED = 3;

export async function measureProducts({ sizes, runs, say }: Bench): Promise<ProductsReport> {
  const { numHeads, headSize } = sizes.config;
  const width = numHeads * headSize;
  const { latentSide, textTokens } = sizes.size;
  const rows = latentSide ** 2 / 2 + textTokens;
  const reports: ProductsReport = {};
  for (const [columns, size] of [
    [width, width],
    // Query, key and value as one matrix.
    [width, 3 * width],
    [width, 4 * width],
    [5 * width, width],
  ] as const) {
    const name = `${rows} \\* ${columns} by ${size}`;
    say(`products: ${name}`);
    reports[name] = await measureShape({ rows, columns, size }, runs);
  }
  return reports;
}

async function measureShape(shape: Shape, runs: number): Promise<Record<string, WayReport>> {
  const { rows, columns, size } = shape;
  const x = randomNormal(rows * columns, SEED);
  const weight = randomNormal(size * columns, SEED + 1).map((value) => value * DEVIATION);
  const ways = waysOf(shape, weight);
  const compared = x.subarray(0, Math.min(rows, COMPARED) * columns);
  const exact = await resultOf(ways["Gemm, float32"]!, compared, columns);
  const seconds: Record<string, number[]> = {};
  const reports: Record<string, WayReport> = {};
  const sessions = new Map<string, Session>();
  for (const [name, build] of Object.entries(ways)) {
    sessions.set(name, await load({ y: ops.rows(build(columnsInput(columns)), 0, 1, 1) }));
  }
  // The first round does not count.
  for (let round = 0; round <= runs; round += 1) {
    for (const [name, session] of sessions) {
      const started = process.cpuUsage();
      await session.run({ x: { data: x, shape: [rows, columns] } });
      const { user, system } = process.cpuUsage(started);
      if (round > 0) (seconds[name] ??= []).push((user + system) / 1e6);
    }
  }
  for (const session of sessions.values()) await session.dispose();
  for (const [name, taken] of Object.entries(seconds)) {
    const ratios = taken.map((value, round) => seconds[BLOCKS_OF_128]![round]! / value);
    const decibels =
      name === BARE ? null : agreementOf(await resultOf(ways[name]!, compared, columns), exact).decibels;
    const gflops = rounded((2 * rows * columns * size) / medianOf(taken) / 1e9);
    reports[name] = { gflops, speedup: rounded(medianOf(ratios)), decibels };
  }
  return reports;
}

const columnsInput = (columns: number): Value => input("x", "float32", ["rows", columns]);

const load = (outputs: Record<string, Value>): Promise<Session> =>
  Session.load(buildModel("product", outputs), { name: "product", weightsFolder: tmpdir(), threads: 1 });

async function resultOf(build: (x: Value) => Value, x: Float32Array, columns: number): Promise<Float32Array> {
  const session = await load({ y: build(columnsInput(columns)) });
  const { y } = await session.run({ x: { data: x, shape: [x.length / columns, columns] } });
  await session.dispose();
  return y!.data as Float32Array;
}

function waysOf({ rows, columns, size }: Shape, weight: Float32Array): Record<string, (x: Value) => Value> {
  const inRows = (x: Value): Value => {
    const matrix = blockMatrix(weight, [size, columns], 128, columns);
    const y = quantized.matmulNBits(x, matrix);
    return withForms({ y }, { ...ALL_FORMS, byteProducts: "rows" })["y"]!;
  };
  return {
    "Gemm, float32": (x) => ops.gemm(x, constant(weight, [size, columns])),
    [BLOCKS_OF_128]: (x) => quantized.matmulNBits(x, blockMatrix(weight, [size, columns], 128)),
    "MatMulNBits, blocks of 256": (x) => quantized.matmulNBits(x, blockMatrix(weight, [size, columns], 256)),
    "MatMulNBits, a scale per row": (x) =>
      quantized.matmulNBits(x, blockMatrix(weight, [size, columns], 128, columns)),
    [`MatMulNBits, ${PART} rows at a time`]: (x) => {
      const matrix = blockMatrix(weight, [size, columns], 128);
      return inParts(x, rows, (part) => quantized.matmulNBits(part, matrix));
    },
    [IN_ROWS]: inRows,
    "DynamicQuantizeMatMul, one scale for all inputs": (x) => {
      const { integers, scales } = transposed(weight, [size, columns]);
      const inputs = [x, integers, scales];
      const outputs = [{ dtype: "float32" as const, shape: [x.shape[0]!, size] }];
      return makeNode("DynamicQuantizeMatMul", inputs, outputs, { domain: "com.microsoft" })[0]!;
    },
    [BARE]: (x) => {
      const { integers } = transposed(weight, [size, columns]);
      const zero = constantOf("uint8", Uint8Array.of(128), []);
      const [bytes] = makeNode(
        "QuantizeLinear",
        [x, scalar(5 / 127), zero],
        [{ dtype: "uint8", shape: x.shape }],
      );
      const outputs = [{ dtype: "int32" as const, shape: [x.shape[0]!, size] }];
      const [product] = makeNode("MatMulInteger", [bytes, integers, zero], outputs);
      return ops.toFloat32(product!);
    },
  };
}

/** The same rows in parts, one after the other. */
function inParts(x: Value, rows: number, multiply: (part: Value) => Value): Value {
  const count = Math.ceil(rows / PART);
  const parts = Array.from({ length: count }, (_, index) =>
    multiply(ops.rows(x, index * PART, (index + 1) * PART, `rows${index}`)),
  );
  return makeNode("Concat", parts, [{ dtype: "float32", shape: [x.shape[0]!, parts[0]!.shape[1]!] }], {
    attributes: { axis: { kind: "int", value: 0 } },
  })[0]!;
}

/** @param scaled how many numbers share a scale, if those are more than a block */
function blockMatrix(
  weight: Float32Array,
  [size, columns]: readonly [number, number],
  blockSize: number,
  scaled = blockSize,
): quantized.BlockMatrix {
  const count = columns / blockSize;
  const { integers, scales } = roundedIn(weight, scaled);
  const perBlock = Float32Array.from(
    { length: size * count },
    (_, block) => scales[Math.floor((block * blockSize) / scaled)]!,
  );
  const shape = [size, count, blockSize];
  const signed = constantOf("int8", new Uint8Array(integers.buffer), shape);
  const unsigned = Uint8Array.from(integers, (value) => value + 128);
  return {
    shape: [size, columns],
    bits: 8,
    // The networks have the two sizes that the type allows.
    blockSize: blockSize as 128,
    blocks: scaled === columns ? quantized.unsignedBytes(signed) : constant(unsigned, shape),
    scales: constant(perBlock, [size, count]),
    accuracyLevel: 4,
  };
}

/** int8 [columns, size] and a scale per column. */
function transposed(
  weight: Float32Array,
  [size, columns]: readonly [number, number],
): { integers: Value; scales: Value } {
  const { integers, scales } = roundedIn(weight, columns);
  const turned = new Uint8Array(integers.length);
  for (let row = 0; row < size; row += 1) {
    for (let column = 0; column < columns; column += 1) {
      turned[column * size + row] = integers[row * columns + column]!;
    }
  }
  return { integers: constantOf("int8", turned, [columns, size]), scales: constant(scales, [size]) };
}

function roundedIn(weight: Float32Array, group: number): { integers: Int8Array; scales: Float32Array } {
  const scales = new Float32Array(weight.length / group);
  const integers = new Int8Array(weight.length);
  for (const index of scales.keys()) {
    const [start, end] = [index * group, (index + 1) * group];
    const largest = weight.subarray(start, end).reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    scales[index] = largest / 127;
    for (let at = start; at < end; at += 1) integers[at] = Math.round((127 * weight[at]!) / largest);
  }
  return { integers, scales };
}
