/** Rows of a matrix in blocks of few bits: rounding them, and restoring the numbers they represent. */
import { type BlockFormat, blocksPerRow, bytesPerBlock } from "../weights/quantized.ts";

export interface Blocks {
  blocks: Uint8Array;
  scales: Float32Array;
}

/** For rounded numbers: the sum of their squared errors, and the sum of their squares. */
export interface SquareSums {
  squaredError: number;
  squares: number;
}

/** Values to map a block's largest number to; the best one is used. 4 bits reach from -8 to 7. */
const CANDIDATES = [-8, -9, -8.5, -7.5, -7, -6.5, -6, -5.5, -5] as const;

/**
 * The 4-bit integer nearest to h / 2, at index h + ZERO_HALVES; halfway cases round up, as in `Math.round`. Looking it
 * up by floor(2x), which involves no rounding, gives the same integers in less than half the time.
 */
const ZERO_HALVES = 20;
const FOUR_BITS = Float64Array.from({ length: 2 * ZERO_HALVES }, (_, index) =>
  Math.max(-8, Math.min(7, (index - ZERO_HALVES + 1) >> 1)),
);

/** @param halves twice the number to round */
const fourBits = (halves: number): number => FOUR_BITS[(Math.floor(halves) | 0) + ZERO_HALVES]!;

/** Allocates blocks for `rowCount` rows. */
export function newBlocks(rowCount: number, columns: number, format: BlockFormat): Blocks {
  const count = rowCount * blocksPerRow(columns, format);
  return { blocks: new Uint8Array(count * bytesPerBlock(format)), scales: new Float32Array(count) };
}

/**
 * Rounds rows of `columns` numbers into `to`. With 8 bits, the largest number of a block sets its scale, or that of the
 * row if all of its blocks share one. With 4 bits, the best of a few candidate scales gives the integers, and the scale
 * is then fitted to them by least squares.
 */
export function quantizeRows(
  values: Float32Array,
  columns: number,
  format: BlockFormat,
  to: Blocks = newBlocks(values.length / columns, columns, format),
): Blocks & SquareSums {
  const { bits, blockSize, isRowScaled } = format;
  const { blocks, scales } = to;
  const integers = new Int8Array(blockSize);
  let [squaredError, squares, block] = [0, 0, 0];
  for (let rowEnd = columns; rowEnd <= values.length; rowEnd += columns) {
    const ofRow = isRowScaled ? largestOf(values, rowEnd - columns, rowEnd) : undefined;
    for (let start = rowEnd - columns; start < rowEnd; start += blockSize) {
      const end = Math.min(start + blockSize, rowEnd);
      if (end - start < blockSize) integers.fill(0, end - start);
      const scale =
        bits === 8
          ? byLargest(values, start, end, integers, ofRow)
          : byLeastError(values, start, end, integers);
      if (isRowScaled) blocks.set(integers, block * blockSize);
      else if (bits === 8) packBytes(integers, blocks, block * blockSize);
      else packHalves(integers, blocks, (block * blockSize) / 2);
      scales[block] = scale;
      block += 1;
      for (let at = start; at < end; at += 1) {
        const value = values[at]!;
        const error = value - Math.fround(integers[at - start]! * scale);
        squaredError += error * error;
        squares += value * value;
      }
    }
  }
  return { blocks, scales, squaredError, squares };
}

function packBytes(integers: Int8Array, bytes: Uint8Array, start: number): void {
  for (let index = 0; index < integers.length; index += 1) bytes[start + index] = integers[index]! + 128;
}

function packHalves(integers: Int8Array, bytes: Uint8Array, start: number): void {
  for (let index = 0; index < integers.length; index += 2) {
    bytes[start + (index >> 1)] = (integers[index]! + 8) | ((integers[index + 1]! + 8) << 4);
  }
}

/** The number farthest from 0; the first one if there are several. */
function largestOf(values: Float32Array, start: number, end: number): number {
  let largest = 0;
  for (let at = start; at < end; at += 1) {
    if (Math.abs(values[at]!) > Math.abs(largest)) largest = values[at]!;
  }
  return largest;
}

function byLargest(
  values: Float32Array,
  start: number,
  end: number,
  integers: Int8Array,
  largest = largestOf(values, start, end),
): number {
  const scale = Math.fround(Math.abs(largest) / 127);
  if (scale === 0) {
    integers.fill(0);
    return 0;
  }
  for (let at = start; at < end; at += 1) {
    const integer = (Math.floor((2 * values[at]!) / scale) + 1) >> 1;
    integers[at - start] = integer > 127 ? 127 : integer < -127 ? -127 : integer;
  }
  return scale;
}

function byLeastError(values: Float32Array, start: number, end: number, integers: Int8Array): number {
  const largest = largestOf(values, start, end);
  if (largest === 0) {
    integers.fill(0);
    return 0;
  }
  let [best, bestGain, bestScale] = [0, -1, 0];
  // Least squares: with scale products / squares, the squared error falls by products^2 / squares.
  const consider = (factor: number, products: number, squares: number): void => {
    const gain = products ** 2 / squares;
    if (gain > bestGain) [best, bestGain, bestScale] = [factor, gain, Math.fround(products / squares)];
  };
  // Three at a time, so that their sums do not wait for each other.
  for (let first = 0; first < CANDIDATES.length; first += 3) {
    const a = (2 * CANDIDATES[first]!) / largest;
    const b = (2 * CANDIDATES[first + 1]!) / largest;
    const c = (2 * CANDIDATES[first + 2]!) / largest;
    let [productsA, productsB, productsC] = [0, 0, 0];
    let [squaresA, squaresB, squaresC] = [0, 0, 0];
    for (let at = start; at < end; at += 1) {
      const value = values[at]!;
      const qA = fourBits(value * a);
      const qB = fourBits(value * b);
      const qC = fourBits(value * c);
      productsA += qA * value;
      productsB += qB * value;
      productsC += qC * value;
      squaresA += qA * qA;
      squaresB += qB * qB;
      squaresC += qC * qC;
    }
    consider(a, productsA, squaresA);
    consider(b, productsB, squaresB);
    consider(c, productsC, squaresC);
  }
  for (let at = start; at < end; at += 1) {
    integers[at - start] = fourBits(values[at]! * best);
  }
  return bestScale;
}

/** The numbers that blocks represent, row after row. */
export function dequantizeRows(
  { blocks, scales }: Blocks,
  columns: number,
  format: BlockFormat,
): Float32Array {
  const { bits, blockSize, isRowScaled } = format;
  const values = new Float32Array((scales.length / blocksPerRow(columns, format)) * columns);
  let block = 0;
  for (let rowEnd = columns; rowEnd <= values.length; rowEnd += columns) {
    for (let start = rowEnd - columns; start < rowEnd; start += blockSize) {
      const end = Math.min(start + blockSize, rowEnd);
      const scale = scales[block]!;
      const first = block * blockSize;
      block += 1;
      if (bits === 8) {
        for (let at = start; at < end; at += 1) {
          const byte = blocks[first + at - start]!;
          values[at] = (isRowScaled ? (byte << 24) >> 24 : byte - 128) * scale;
        }
        continue;
      }
      for (let at = start; at < end; at += 1) {
        const index = first + at - start;
        const byte = blocks[index >> 1]!;
        values[at] = ((index & 1 ? byte >> 4 : byte & 15) - 8) * scale;
      }
    }
  }
  return values;
}
