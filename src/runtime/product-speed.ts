/**
 * How fast this processor multiplies with a matrix in each kernel that there is, and whether it does so rightly: some
 * kernels of 8 bits let sums overflow on processors without instructions for them.
 */
import { tmpdir } from "node:os";
import { buildModel, constant, input } from "../onnx/graph.ts";
import { kernelsFor, type MatrixShape, type ProductKernel, withProducts } from "../onnx/forms/products.ts";
import { gemm } from "../onnx/ops.ts";
import { decibelsBetween } from "./decibels.ts";
import { DrawnNumbers } from "./drawn-numbers.ts";
import { type RuntimeOptions, Session, type Tensor } from "./session.ts";

/** A product x [rows, columns] by a matrix [size, columns], transposed. */
export interface MeasuredProduct extends MatrixShape {
  rows: number;
}

export interface KernelSpeed {
  kernel: ProductKernel;
  /** Of the fastest run. */
  seconds: number;
  /** Whether most runs took about as long: otherwise something else kept the processor busy. */
  isSteady: boolean;
  /** To float32: of drawn numbers, and of the largest numbers that 8 bits hold. */
  decibels: { drawn: number; largest: number };
}

/** How far 8 bits may be from float32: drawn numbers come within 38 dB, and an overflow leaves less than 20. */
export const LEAST_PRODUCT_DECIBELS = 34;

/** What is measured of a larger matrix: beyond that, time grows with the operations. */
const MOST_COLUMNS = 4096;
const MOST_SIZE = 1024;
const MOST_OPERATIONS = 4e8;
const LEAST_ROWS = 16;
/** Turns: the least ones are taken however long they take. */
const LEAST_TURNS = 3;
const MOST_TURNS = 15;
/** Of the fastest run: what the median of all may take. */
const STEADY = 1.5;
const SEED = 8;
/** Drawn once and repeated; a prime, so that rows differ. */
const DRAWN = 65_521;
/** Beyond nearly all normal numbers, so that drawn numbers leave most of 8 bits unused. */
const LARGEST = 5;

/**
 * Measures all kernels by turns, each in a network of its own.
 * @param ms what the turns may take beyond the least number of them
 * @returns those that run
 */
export async function measureProduct(
  { rows, columns, size }: MeasuredProduct,
  runtime: Pick<RuntimeOptions, "threads">,
  ms: number,
): Promise<KernelSpeed[]> {
  const shape = { columns: Math.min(columns, MOST_COLUMNS), size: Math.min(size, MOST_SIZE) };
  const fitting = Math.floor(MOST_OPERATIONS / (2 * shape.columns * shape.size));
  const numRows = Math.min(rows, Math.max(LEAST_ROWS, fitting));
  const numbers = drawn();
  const matrix = repeated(numbers, [shape.size, shape.columns]);
  // A row of the largest number: with an input of the largest numbers, the sum is the largest that there can be.
  matrix.data.fill(LARGEST, 0, shape.columns);
  const x = repeated(numbers, [numRows, shape.columns], 7);
  const sessions: { kernel: ProductKernel; session: Session; seconds: number[] }[] = [];
  try {
    for (const kernel of kernelsFor(shape)) {
      const loading = sessionOf(kernel, matrix, runtime);
      // A runtime without one of the others leaves the rest to choose from.
      const session = await (kernel === "float32" ? loading : loading.catch(() => undefined));
      if (session) sessions.push({ kernel, session, seconds: [] });
    }
    const run = async (session: Session, tensor: Tensor): Promise<Float32Array> =>
      (await session.run({ x: tensor })).y!.data as Float32Array;
    const largest = signs(shape.columns);
    const results: Record<keyof KernelSpeed["decibels"], Float32Array>[] = [];
    for (const { session } of sessions) {
      results.push({
        drawn: await run(session, x),
        largest: firstOfRows(await run(session, largest), shape),
      });
    }
    const end = performance.now() + ms;
    for (let turn = 0; turn < MOST_TURNS && (turn < LEAST_TURNS || performance.now() < end); turn += 1) {
      for (const one of sessions) {
        const started = performance.now();
        await run(one.session, x);
        one.seconds.push((performance.now() - started) / 1000);
      }
    }
    return sessions.map(({ kernel, seconds }, index) => ({
      kernel,
      seconds: Math.min(...seconds),
      isSteady: medianOf(seconds) <= STEADY * Math.min(...seconds),
      decibels: {
        drawn: decibelsBetween(results[index]!.drawn, results[0]!.drawn),
        largest: decibelsBetween(results[index]!.largest, results[0]!.largest),
      },
    }));
  } finally {
    for (const { session } of sessions) await session.dispose();
  }
}

function sessionOf(
  kernel: ProductKernel,
  { data, shape }: Floats,
  { threads }: Pick<RuntimeOptions, "threads">,
): Promise<Session> {
  const product = gemm(input("x", "float32", ["rows", shape[1]]), constant(data, shape));
  const outputs = withProducts(
    { y: product },
    () => true,
    () => kernel,
  );
  const name = `of a product, ${kernel}`;
  return Session.load(buildModel("product", outputs), { name, weightsFolder: tmpdir(), threads });
}

interface Floats {
  data: Float32Array;
  shape: readonly [number, number];
}

const drawn = (): Float32Array => new DrawnNumbers(SEED).normal([DRAWN]).data as Float32Array;

function repeated(numbers: Float32Array, shape: readonly [number, number], offset = 0): Floats {
  const data = new Float32Array(shape[0] * shape[1]);
  for (let index = 0; index < data.length; index += 1) data[index] = numbers[(index + offset) % DRAWN]!;
  return { data, shape };
}

/** A row of the largest number, and one of the smallest. */
function signs(columns: number): Floats {
  const data = new Float32Array(2 * columns).fill(LARGEST, 0, columns).fill(-LARGEST, columns);
  return { data, shape: [2, columns] };
}

/** The first number of each row. */
const firstOfRows = (data: Float32Array, { size }: MatrixShape): Float32Array =>
  data.filter((_, index) => index % size === 0);

const medianOf = (values: readonly number[]): number =>
  values.toSorted((one, other) => one - other)[Math.floor(values.length / 2)]!;
