/** The fastest matrix product that the machine does in float32: what a denoising step is measured against. */
import { execFileSync } from "node:child_process";
import { tmpdir } from "node:os";
import { buildModel, constant, input } from "../src/onnx/graph.ts";
import * as ops from "../src/onnx/ops.ts";
import { Session } from "../src/runtime/session.ts";
import { inRepository } from "../tools/paths.ts";
import { rounded } from "../tools/statistics.ts";

export interface GemmPeak {
  /** Billions of floating point operations per second, the best of all shapes and repetitions. */
  onnxruntime: number;
  torch: number;
}

/** Sides of the square factors. */
const SIZES = [512, 1024, 2048];
const REPETITIONS = 8;
/** Products in one run, so that copying inputs and outputs does not count. */
const CHAIN = 4;

export async function measureGemmPeak(threads: number, python: string): Promise<GemmPeak> {
  const measured: number[] = [];
  for (const size of SIZES) measured.push(await measureSession(size, threads));
  const args = [
    inRepository("bench", "torch_matmul.py"),
    String(threads),
    String(REPETITIONS),
    ...SIZES.map(String),
  ];
  const torch = JSON.parse(execFileSync(python, args, { encoding: "utf8" })) as { gflops: number };
  return { onnxruntime: rounded(Math.max(...measured)), torch: rounded(torch.gflops) };
}

async function measureSession(size: number, threads: number): Promise<number> {
  const weight = constant(uniform(size * size, Math.sqrt(3 / size)), [size, size]);
  let product = input("x", "float32", [size, size]);
  for (let index = 0; index < CHAIN; index += 1) product = ops.gemm(product, weight);
  const model = buildModel("gemm", { y: ops.rows(product, 0, 1, 1) });
  const session = await Session.load(model, { name: "gemm", weightsFolder: tmpdir(), threads });
  const x = { data: uniform(size * size, 1), shape: [size, size] };
  let best = Infinity;
  for (let repetition = 0; repetition <= REPETITIONS; repetition += 1) {
    const started = performance.now();
    await session.run({ x });
    best = Math.min(best, (performance.now() - started) / 1000);
  }
  await session.dispose();
  return (CHAIN * 2 * size ** 3) / best / 1e9;
}

/** Numbers within a bound. The weights' bound keeps the variance from product to product, away from infinity and denormals. */
const uniform = (count: number, bound: number): Float32Array =>
  Float32Array.from({ length: count }, () => (2 * Math.random() - 1) * bound);
