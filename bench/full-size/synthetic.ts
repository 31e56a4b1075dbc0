/**
 * A network of random weights in given shapes, drawn straight in the runtime's blocks, so that no float32 copy of it
 * ever exists. A row's numbers follow from seed, key and row alone: reading some rows of a tensor, in any order and as
 * blocks or as float32, always gives the same numbers.
 *
 * How large they are (the published tensors are not available here, so these are scales at which such a network works):
 * FLUX.1's matrices have a standard deviation of 0.02 at width 3072, which makes a linear layer's output about as large
 * as its input; narrower networks have more, for the same reason. Noise level, guidance and text then make shift, scale
 * and gate vectors of about 0.2, so that 57 blocks neither explode nor vanish. T5's have the inverse root of their width,
 * for the same reason, and those of FLUX.2 the inverse root of their own columns. Biases have 0.02; the scales of norms
 * and variances are around 1.
 *
 * Every block's scale is exact in float16 and every number exact in float32. So GGUF, whose scales are float16, and
 * PyTorch, which gets float32, have the same weights to the last bit. With scales of one bit, every number is exact in
 * bfloat16 too.
 */
import { createHash } from "node:crypto";
import type { FluxConfig } from "../../src/models/transformers/flux-config.ts";
import { originalFluxLayout } from "../../src/models/layouts/original-flux.ts";
import type { T5Sizes } from "../../src/models/text-encoders/t5-config.ts";
import { llamaT5Layout } from "../../src/models/layouts/t5-layouts.ts";
import { type Blocks, dequantizeRows } from "../../src/quantize/blocks.ts";
import { formatOf } from "../../src/quantize/formats.ts";
import { FileLayout } from "../../src/quantize/layout.ts";
import { type BlockFormat, blocksPerRow, bytesPerBlock } from "../../src/weights/quantized.ts";
import { elements, type LayoutEntry } from "../../src/weights/tensor-file.ts";
import type { SourceBlocks, SourceWeight, WeightSource } from "../../src/weights/weight-source.ts";

/** Standard deviation of a matrix in a network as wide as the published one. */
const PUBLISHED_DEVIATION = 0.02;
const PUBLISHED_WIDTH = 3072;

/** The format in which the numbers of a float32 matrix are drawn. */
const EIGHT_BITS = { bits: 8, blockSize: 128 } as const;

/** The scales of blocks, equally likely: 16 of them, from 0.8 to 1.2 of the mean. */
const NUM_SCALES = 16;
const SCALE_SPREAD = 0.2;

/** Standard deviation of the unsigned numbers in blocks: so large that hardly one in 400 is at the ends of the range. */
const DEVIATION_OF_BITS = { 8: 41, 4: 2.5 } as const;

/** The scale of the 8-bit numbers of vectors: exact in float16 and bfloat16. */
const BIAS_STEP = 2 ** -11;
const NORM_STEP = 2 ** -7;

const FLOAT_BYTES = 4;

/** The most significant bits of a float16, and of a power of two. */
export type ScaleBits = 11 | 1;

export interface Drawing {
  format: BlockFormat;
  seed: number;
}

/** A weight as a configuration determines it. */
export interface WeightShape {
  key: string;
  shape: readonly number[];
}

export interface Numbers extends Drawing {
  /** Standard deviation of a matrix or of a convolution's kernels. */
  deviationOf: (shape: readonly number[]) => number;
  /** Significant bits of a block's scale. @default 11 */
  scaleBits?: ScaleBits;
}

export function syntheticTransformer(config: FluxConfig, drawing: Drawing): SyntheticNetwork {
  const width = config.numHeads * config.headSize;
  const deviation = PUBLISHED_DEVIATION * Math.sqrt(PUBLISHED_WIDTH / width);
  const deviationOf = (): number => deviation;
  return new SyntheticNetwork("transformer", weightsOf(originalFluxLayout(config)), {
    ...drawing,
    deviationOf,
  });
}

export function syntheticT5(sizes: T5Sizes, drawing: Drawing): SyntheticNetwork {
  const deviationOf = (): number => 1 / Math.sqrt(sizes.width);
  return new SyntheticNetwork("T5", weightsOf(llamaT5Layout(sizes)), { ...drawing, deviationOf });
}

const weightsOf = (layout: readonly LayoutEntry[]): WeightShape[] => layout.flatMap(({ parts }) => parts);

export class SyntheticNetwork implements WeightSource {
  readonly name: string;
  readonly files = [];
  /** Bytes of a converted file. */
  readonly byteLength: number;
  /** Bytes of all the weights as float32. */
  readonly floatBytes: number;
  readonly format: BlockFormat;
  readonly #shapes: readonly WeightShape[];
  readonly #numbers: Numbers;

  constructor(name: string, shapes: readonly WeightShape[], numbers: Numbers) {
    this.name = `synthetic ${name} ${numbers.seed}`;
    this.format = numbers.format;
    this.#shapes = shapes;
    this.#numbers = numbers;
    const weights = [...this.weights()];
    this.byteLength = new FileLayout(weights, this.#kind, this.name).byteLength;
    this.floatBytes = weights.reduce((sum, { shape }) => sum + FLOAT_BYTES * elements(shape), 0);
  }

  get #kind(): "int4" | "int8" {
    return this.format.bits === 4 ? "int4" : "int8";
  }

  *weights(): Generator<SourceWeight> {
    for (const { key, shape } of this.#shapes) {
      if (shape.length < 2) {
        yield vector(key, shape, this.#numbers.seed);
        continue;
      }
      const stored = formatOf(key, shape, this.#kind);
      const format = typeof stored === "string" ? EIGHT_BITS : stored;
      const drawn = matrix(key, shape, { ...this.#numbers, format });
      yield typeof stored === "string" ? { key, shape, rows: drawn.rows } : drawn;
    }
  }
}

function matrix(
  key: string,
  shape: readonly number[],
  numbers: Numbers,
): SourceWeight & { blocks: SourceBlocks } {
  const { format } = numbers;
  const columns = elements(shape.slice(1));
  const read = blockReader(key, shape, numbers);
  return {
    key,
    shape,
    rows: async (from, to) => dequantizeRows(read(from, to), columns, format),
    blocks: { ...format, read: async (from, to) => read(from, to) },
  };
}

function blockReader(
  key: string,
  shape: readonly number[],
  { format, seed, deviationOf, scaleBits = 11 }: Numbers,
): (from: number, to: number) => Blocks {
  const columns = elements(shape.slice(1));
  const quantiles = QUANTILES[format.bits];
  const mean = deviationOf(shape) / DEVIATION_OF_BITS[format.bits];
  const scaleOf = scaleBits === 11 ? scalesAround(mean) : powersAround(mean);
  const perRow = blocksPerRow(columns, format);
  const bytesPerRow = perRow * bytesPerBlock(format);
  const filledBytes = (columns * format.bits) / 8;
  const zero = format.bits === 8 ? 0x80 : 0x88;
  const keyBits = bitsOfKey(key, seed);
  return (from, to) => {
    const blocks = new Uint8Array((to - from) * bytesPerRow);
    const scales = new Float32Array((to - from) * perRow);
    for (let row = from; row < to; row += 1) {
      const start = (row - from) * bytesPerRow;
      const state = fillRow(blocks, start, filledBytes, quantiles, rowState(keyBits, row));
      blocks.fill(zero, start + filledBytes, start + bytesPerRow);
      if (format.isRowScaled) toSigned(blocks.subarray(start, start + filledBytes));
      const first = (row - from) * perRow;
      fillScales(scales, first, format.isRowScaled ? 1 : perRow, scaleOf, state);
      if (format.isRowScaled) scales.fill(scales[first]!, first, first + perRow);
    }
    return { blocks, scales };
  };
}

/** Bytes around 128 to int8 around 0, in place. */
function toSigned(bytes: Uint8Array): void {
  for (const [index, byte] of bytes.entries()) bytes[index] = byte ^ 0x80;
}

/** Two bytes of each 32 random bits (xorshift32, Marsaglia 2003). Returns the generator's state. */
function fillRow(
  bytes: Uint8Array,
  start: number,
  count: number,
  quantiles: Uint8Array,
  state: number,
): number {
  let bits = state;
  const end = start + count;
  for (let index = start; index < end; index += 2) {
    bits = nextBits(bits);
    bytes[index] = quantiles[bits & 0xffff]!;
    if (index + 1 < end) bytes[index + 1] = quantiles[bits >>> 16]!;
  }
  return bits;
}

function fillScales(
  scales: Float32Array,
  start: number,
  count: number,
  scaleOf: Float32Array,
  state: number,
): void {
  let bits = state;
  for (let index = start; index < start + count; index += 1) {
    bits = nextBits(bits);
    scales[index] = scaleOf[bits >>> 28]!;
  }
}

function nextBits(state: number): number {
  let bits = state;
  bits ^= bits << 13;
  bits ^= bits >>> 17;
  bits ^= bits << 5;
  return bits;
}

/** A state that is never 0, because the generator would stay there. */
function rowState(keyBits: number, row: number): number {
  let bits = Math.imul(keyBits ^ Math.imul(row + 1, 0x9e3779b1), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 15), 0xc2b2ae35);
  return (bits ^ (bits >>> 13)) | 1;
}

const bitsOfKey = (key: string, seed: number): number =>
  createHash("sha256").update(`${seed} ${key}`).digest().readInt32LE();

/** What each of 65,536 equally likely draws stands for: one 8-bit number, or two 4-bit numbers, normally distributed. */
function bytesOfNormals(bits: 4 | 8): Uint8Array {
  if (bits === 8) return quantilesOf(2 ** 16, 8);
  const nibbles = quantilesOf(2 ** 8, 4);
  return Uint8Array.from(
    { length: 2 ** 16 },
    (_, draw) => nibbles[draw & 0xff]! | (nibbles[draw >>> 8]! << 4),
  );
}

const QUANTILES = { 4: bytesOfNormals(4), 8: bytesOfNormals(8) };

function quantilesOf(count: number, bits: 4 | 8): Uint8Array {
  const centre = 2 ** (bits - 1);
  const quantiles = new Uint8Array(count);
  for (let draw = 0; draw < count; draw += 1) {
    const value = centre + Math.round(DEVIATION_OF_BITS[bits] * normalQuantile((draw + 0.5) / count));
    quantiles[draw] = Math.min(2 * centre - 1, Math.max(1, value));
  }
  return quantiles;
}

/** The quantile of the standard normal distribution for this probability, by bisection. */
function normalQuantile(probability: number): number {
  let [low, high] = [-6, 6];
  for (let round = 0; round < 30; round += 1) {
    const middle = (low + high) / 2;
    if (normalDistribution(middle) < probability) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

/** Abramowitz and Stegun 26.2.17; off by less than 1e-7. */
function normalDistribution(x: number): number {
  const t = 1 / (1 + 0.2316419 * Math.abs(x));
  const polynomial =
    t * (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))));
  const tail = (Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI)) * polynomial;
  return x < 0 ? tail : 1 - tail;
}

function scalesAround(mean: number): Float32Array {
  return Float32Array.from({ length: NUM_SCALES }, (_, index) =>
    elevenBits(mean * (1 + SCALE_SPREAD * ((2 * index) / (NUM_SCALES - 1) - 1))),
  );
}

/** Two neighbouring powers of two, as many of each as give this root mean square. */
function powersAround(mean: number): Float32Array {
  const low = 2 ** Math.floor(Math.log2(mean));
  const numLarge = Math.round((((mean / low) ** 2 - 1) / 3) * NUM_SCALES);
  return Float32Array.from({ length: NUM_SCALES }, (_, index) => (index < numLarge ? 2 * low : low));
}

/** Rounded to the eleven significant bits of a float16. */
function elevenBits(value: number): number {
  const step = 2 ** (Math.floor(Math.log2(value)) - 10);
  return Math.round(value / step) * step;
}

function vector(key: string, shape: readonly number[], seed: number): SourceWeight {
  const isNorm = /\.(?:weight|running_var)$/.test(key);
  const valueOf = (byte: number): number =>
    isNorm ? 1 + Math.trunc((byte - 128) / 2) * NORM_STEP : (byte - 128) * BIAS_STEP;
  const read = (from: number, to: number): Float32Array => {
    const bytes = new Uint8Array(to);
    fillRow(bytes, 0, to, QUANTILES[8], rowState(bitsOfKey(key, seed), 0));
    return Float32Array.from(bytes.subarray(from), valueOf);
  };
  return { key, shape, rows: async (from, to) => read(from, to) };
}
