/**
 * How fast the machine multiplies matrices of klein's shapes, in few bits and in float32, and what a step would take by
 * these products. Every product is measured by turns with the others, with one matrix in memory.
 */
import { tmpdir } from "node:os";
import { attention, gemm, rows } from "../../src/onnx/ops.ts";
import { matmulNBits } from "../../src/onnx/quantized-ops.ts";
import { buildModel, constant, input, type Value } from "../../src/onnx/graph.ts";
import { mlpWidthOf, widthOf } from "../../src/models/transformers/flux2-config.ts";
import { Session, type Tensor } from "../../src/runtime/session.ts";
import type { BlockFormat } from "../../src/weights/quantized.ts";
import { rounded } from "../../tools/statistics.ts";
import { say } from "../full-size/comparison.ts";
import type { Bench } from "./bench.ts";

/** `bits/blockSize` of MatMulNBits with inputs of 8 bits, or Gemm. */
const FORMATS = {
  float32: undefined,
  "8/32": { bits: 8, blockSize: 32 },
  "8/128": { bits: 8, blockSize: 128 },
  "4/32": { bits: 4, blockSize: 32 },
  "4/128": { bits: 4, blockSize: 128 },
} as const satisfies Record<string, BlockFormat | undefined>;
type FormatName = keyof typeof FORMATS;
const NAMES = Object.keys(FORMATS) as FormatName[];
const recordOf = (valueOf: (name: FormatName) => number): Record<FormatName, number> =>
  Object.fromEntries(NAMES.map((name) => [name, valueOf(name)])) as Record<FormatName, number>;
const REPETITIONS = 2;
/** Rows of the largest matrix that is made; a larger one takes its share of the time. */
const MAX_SIZE = 9216;

/** Rows times a matrix [size, columns], and how often a step does that. */
interface Product {
  name: string;
  rows: number;
  columns: number;
  size: number;
  count: number;
}

export interface ProductsReport {
  /** Billions of operations per second, by product and format. */
  gflops: Record<string, Record<FormatName, number>>;
  attentionGflops: number;
  /** What a step takes by these, without norms, activations and rotary embeddings. */
  secondsPerStep: Record<FormatName, number>;
}

export async function measureProducts(bench: Bench): Promise<ProductsReport> {
  const gflops: ProductsReport["gflops"] = {};
  const seconds = recordOf(() => 0);
  for (const product of productsOf(bench)) {
    say(`products: ${product.name}`);
    const best = recordOf(() => Infinity);
    const share = product.size / Math.min(product.size, MAX_SIZE);
    for (let round = 0; round < REPETITIONS; round += 1) {
      for (const name of NAMES) {
        const taken = await secondsOf(product, FORMATS[name], bench.threads);
        best[name] = Math.min(best[name], share * taken);
      }
    }
    const operations = 2 * product.rows * product.columns * product.size;
    gflops[product.name] = recordOf((name) => rounded(operations / best[name] / 1e9));
    for (const name of NAMES) seconds[name] += product.count * best[name];
  }
  say("products: attention");
  const attended = await attentionSeconds(bench);
  const { operations, count } = attentionOf(bench);
  return {
    gflops,
    attentionGflops: rounded(operations / attended / 1e9),
    secondsPerStep: recordOf((name) => rounded(seconds[name] + count * attended)),
  };
}

/** The products of a step that count: those of the blocks. */
function productsOf({ sizes: { transformer }, size }: Bench): Product[] {
  const { numDoubleBlocks, numSingleBlocks } = transformer;
  const [width, mlpWidth] = [widthOf(transformer), mlpWidthOf(transformer)];
  const [images, text] = [2 * size.latentSide ** 2, size.textTokens];
  const stream = (name: string, numRows: number): Product[] => [
    // Query, key, value and output.
    { name: `${name} attention`, rows: numRows, columns: width, size: width, count: 4 * numDoubleBlocks },
    { name: `${name} mlp in`, rows: numRows, columns: width, size: 2 * mlpWidth, count: numDoubleBlocks },
    { name: `${name} mlp out`, rows: numRows, columns: mlpWidth, size: width, count: numDoubleBlocks },
  ];
  const all = images + text;
  const fused = 3 * width + 2 * mlpWidth;
  return [
    ...stream("image", images),
    ...stream("text", text),
    { name: "single in", rows: all, columns: width, size: fused, count: numSingleBlocks },
    { name: "single out", rows: all, columns: width + mlpWidth, size: width, count: numSingleBlocks },
  ];
}

/** One run after one that does not count. */
async function secondsOf(
  product: Product,
  format: BlockFormat | undefined,
  threads: number,
): Promise<number> {
  const { rows: numRows, columns } = product;
  const size = Math.min(product.size, MAX_SIZE);
  const x = input("x", "float32", [numRows, columns]);
  const y = format ? matmulNBits(x, blockMatrix(size, columns, format)) : gemm(x, floatMatrix(size, columns));
  return timed({ y: rows(y, 0, 1, 1) }, { x: noise([numRows, columns]) }, threads);
}

const floatMatrix = (size: number, columns: number): Value =>
  constant(noise([size, columns]).data as Float32Array, [size, columns]);

function blockMatrix(
  size: number,
  columns: number,
  { bits, blockSize }: BlockFormat,
): Parameters<typeof matmulNBits>[1] {
  const count = Math.ceil(columns / blockSize);
  const bytes = (blockSize * bits) / 8;
  const blocks = Uint8Array.from({ length: size * count * bytes }, (_, index) => (index * 151) & 0xff);
  return {
    shape: [size, columns],
    bits,
    blockSize,
    accuracyLevel: 4,
    blocks: constant(blocks, [size, count, bytes]),
    scales: constant(new Float32Array(size * count).fill(2 ** -10), [size, count]),
  };
}

function attentionOf({ sizes: { transformer }, size }: Bench): {
  tokens: number;
  operations: number;
  count: number;
} {
  const tokens = 2 * size.latentSide ** 2 + size.textTokens;
  const count = transformer.numDoubleBlocks + transformer.numSingleBlocks;
  return { tokens, operations: 4 * tokens ** 2 * widthOf(transformer), count };
}

function attentionSeconds(bench: Bench): Promise<number> {
  const { tokens } = attentionOf(bench);
  const { transformer } = bench.sizes;
  const shape = [1, tokens, widthOf(transformer)];
  const [query, key, value] = ["query", "key", "value"].map((name) => input(name, "float32", shape)) as [
    Value,
    Value,
    Value,
  ];
  const attended = attention(query, key, value, { numHeads: transformer.numHeads });
  const feeds = { query: noise(shape), key: noise(shape), value: noise(shape) };
  return timed({ attended }, feeds, bench.threads);
}

async function timed(
  outputs: Parameters<typeof buildModel>[1],
  feeds: Record<string, Tensor>,
  threads: number,
): Promise<number> {
  const model = buildModel("product", outputs);
  const session = await Session.load(model, { name: "product", weightsFolder: tmpdir(), threads });
  await session.run(feeds);
  const started = performance.now();
  await session.run(feeds);
  const seconds = (performance.now() - started) / 1000;
  await session.dispose();
  return seconds;
}

/** Numbers from -1/32 to 1/32. */
function noise(shape: readonly number[]): Tensor {
  const length = shape.reduce((product, dim) => product * dim, 1);
  const data = Float32Array.from({ length }, (_, index) => (((index * 7919) & 0xffff) / 2 ** 15 - 1) / 32);
  return { data, shape };
}
