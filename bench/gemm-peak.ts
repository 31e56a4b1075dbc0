/** The fastest matrix products that the machine does: what a denoising step is measured against. */
import { execFileSync } from "node:child_process";
import { tmpdir } from "node:os";
import { buildModel, constant, constantOf, input, makeNode, type Value } from "../src/onnx/graph.ts";
import * as ops from "../src/onnx/ops.ts";
import * as quantized from "../src/onnx/quantized-ops.ts";
import { Session } from "../src/runtime/session.ts";
import { inRepository } from "../tools/paths.ts";
import { rounded } from "../tools/statistics.ts";

export interface GemmPeak {
  /** Billions of floating point operations per second, the best of all shapes and repetitions. */
  onnxruntime: number;
  torch: number;
}

export interface ProductOptions {
  threads: number;
  /** What times are those of: the clock, or the processor, shared among the threads. @default "wall" */
  clock?: "wall" | "cpu";
}

/** Sides of the square factors. */
const SIZES = [512, 1024, 2048];
const REPETITIONS = 8;
/** Products in one run, so that copying inputs and outputs does not count. */
const CHAIN = 4;

export async function measureGemmPeak(threads: number, python: string): Promise<GemmPeak> {
  const measured: number[] = [];
  for (const size of SIZES) measured.push(await measureGemm(size, { threads }));
  const torch = measureTorch(SIZES, { threads, python, dtype: "float32" });
  return { onnxruntime: rounded(Math.max(...measured)), torch: rounded(torch) };
}

/** Billions of operations per second of PyTorch's fastest product of squares of these sides. */
export function measureTorch(
  sizes: readonly number[],
  options: ProductOptions & { python: string; dtype: "float32" | "bfloat16" },
): number {
  const { threads, python, dtype, clock = "wall" } = options;
  const script = inRepository("bench", "torch_matmul.py");
  const args = [script, String(threads), String(REPETITIONS), dtype, clock, ...sizes.map(String)];
  return (JSON.parse(execFileSync(python, args, { encoding: "utf8" })) as { gflops: number }).gflops;
}

/** The same of onnxruntime's float32 product of squares of this side. */
export function measureGemm(size: number, options: ProductOptions): Promise<number> {
  const weight = constant(uniform(size * size, Math.sqrt(3 / size)), [size, size]);
  let product = input("x", "float32", [size, size]);
  for (let index = 0; index < CHAIN; index += 1) product = ops.gemm(product, weight);
  return measureChain({ y: ops.rows(product, 0, 1, 1) }, size, options);
}

/**
 * The same of onnxruntime's product of bytes by signed bytes (`MatMulInteger`). Rounding the input to bytes counts, once
 * for all products.
 */
export function measureByteProduct(size: number, options: ProductOptions): Promise<number> {
  const x = input("x", "float32", [size, size]);
  const zeroPoint = constantOf("uint8", Uint8Array.of(128), []);
  const { bytes } = quantized.byteRows(
    x,
    constant(new Float32Array(size).fill(1 / 127), [size, 1]),
    zeroPoint,
  );
  const outputs = Array.from({ length: CHAIN }, (_, index) => {
    const integers = Uint8Array.from({ length: size * size }, () => 256 * Math.random());
    const inputs = [bytes, constantOf("int8", integers, [size, size]), zeroPoint];
    const [product] = makeNode("MatMulInteger", inputs, [{ dtype: "int32", shape: [size, size] }]);
    return [`y${index}`, ops.toFloat32(ops.rows(product!, 0, 1, 1))];
  });
  return measureChain(Object.fromEntries(outputs) as Record<string, Value>, size, options);
}

async function measureChain(
  outputs: Record<string, Value>,
  size: number,
  { threads, clock = "wall" }: ProductOptions,
): Promise<number> {
  const now = clock === "cpu" ? cpuSeconds : (): number => performance.now() / 1000;
  const parts = clock === "cpu" ? threads : 1;
  const model = buildModel("product", outputs);
  const session = await Session.load(model, { name: "product", weightsFolder: tmpdir(), threads });
  const x = { data: uniform(size * size, 1), shape: [size, size] };
  let best = Infinity;
  for (let repetition = 0; repetition <= REPETITIONS; repetition += 1) {
    const started = now();
    await session.run({ x });
    best = Math.min(best, (now() - started) / parts);
  }
  await session.dispose();
  return (CHAIN * 2 * size ** 3) / best / 1e9;
}

function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

/** Numbers within a bound. The weights' bound keeps the variance from product to product, away from infinity and denormals. */
const uniform = (count: number, bound: number): Float32Array =>
  Float32Array.from({ length: count }, () => (2 * Math.random() - 1) * bound);
