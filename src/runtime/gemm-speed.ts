/** How fast this machine multiplies matrices, measured in half a second; time estimates are based on it. */
import { tmpdir } from "node:os";
import { buildModel, constant, input, type Value } from "../onnx/graph.ts";
import * as ops from "../onnx/ops.ts";
import { Session } from "./session.ts";

/** Floating point operations per second; integer operations count as the ones they replace. */
export interface GemmSpeed {
  fp32: number;
  /** With 8-bit weights in blocks, and the input also rounded to 8 bits. */
  int8: number;
}

/** Side of the square weight; below it, rows of the input. */
const SIZE = 1024;
const ROWS = 256;
const BLOCK = 128;
const MEASURING_MS = 200;

export async function measureGemmSpeed(threads = 0): Promise<GemmSpeed> {
  const x = input("x", "float32", [ROWS, SIZE]);
  const weight = constant(new Float32Array(SIZE ** 2).fill(1 / SIZE), [SIZE, SIZE]);
  const matrix = {
    shape: [SIZE, SIZE],
    bits: 8,
    blockSize: BLOCK,
    accuracyLevel: 4,
    blocks: constant(new Uint8Array(SIZE ** 2).fill(129), [SIZE, SIZE / BLOCK, BLOCK]),
    scales: constant(new Float32Array((SIZE * SIZE) / BLOCK).fill(1 / SIZE), [SIZE, SIZE / BLOCK]),
  } as const;
  return {
    fp32: await measure(ops.gemm(x, weight), threads),
    int8: await measure(ops.matmulNBits(x, matrix), threads),
  };
}

/** The fastest of as many products as the time allows, at least two. */
async function measure(product: Value, threads: number): Promise<number> {
  const model = buildModel("gemm", { y: product });
  const session = await Session.load(model, { name: "gemm", weightsFolder: tmpdir(), threads });
  const x = { data: new Float32Array(ROWS * SIZE).fill(1), shape: [ROWS, SIZE] };
  const end = performance.now() + MEASURING_MS;
  let best = Infinity;
  for (let runs = 0; runs < 2 || performance.now() < end; runs += 1) {
    const started = performance.now();
    await session.run({ x });
    best = Math.min(best, (performance.now() - started) / 1000);
  }
  await session.dispose();
  return (2 * ROWS * SIZE ** 2) / best;
}
