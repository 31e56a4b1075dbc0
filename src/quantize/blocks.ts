/** Rows of a matrix in blocks of few bits: how they are rounded, and what they stand for. */
import { type BlockFormat, blocksPerRow, bytesPerBlock } from "../weights/quantized.ts";

export interface Blocks {
  blocks: Uint8Array;
  scales: Float32Array;
}

/** What the largest number of a block becomes, of which the best is taken; 4 bits reach from -8 to 7. */
const CANDIDATES = [-8, -9, -8.5, -7.5, -7, -6.5, -6, -5.5, -5];

/**
 * Rounds rows of `columns` numbers. With 8 bits the largest number of a block sets its scale; with 4 bits the scale is
 * the one of a few with the least squared error, and of the integers that it gives the best scale there is.
 */
export function quantizeRows(values: Float32Array, columns: number, format: BlockFormat): Blocks {
  const { bits, blockSize } = format;
  const perRow = blocksPerRow(columns, format);
  const rowCount = values.length / columns;
  const blocks = new Uint8Array(rowCount * perRow * bytesPerBlock(format));
  const scales = new Float32Array(rowCount * perRow);
  const zero = 2 ** (bits - 1);
  const integers = new Int8Array(blockSize);
  for (let block = 0; block < scales.length; block += 1) {
    const start = Math.floor(block / perRow) * columns + (block % perRow) * blockSize;
    const end = Math.min(start + blockSize, (Math.floor(block / perRow) + 1) * columns);
    const numbers = values.subarray(start, end);
    integers.fill(0);
    scales[block] = bits === 8 ? byLargest(numbers, integers) : byLeastError(numbers, integers);
    const byte = block * bytesPerBlock(format);
    for (let index = 0; index < blockSize; index += 1) {
      const q = integers[index]! + zero;
      if (bits === 8) blocks[byte + index] = q;
      else blocks[byte + (index >> 1)]! |= index % 2 === 0 ? q : q << 4;
    }
  }
  return { blocks, scales };
}

function largestOf(numbers: Float32Array): number {
  let largest = 0;
  for (let index = 0; index < numbers.length; index += 1) {
    if (Math.abs(numbers[index]!) > Math.abs(largest)) largest = numbers[index]!;
  }
  return largest;
}

function byLargest(numbers: Float32Array, integers: Int8Array): number {
  const scale = Math.fround(Math.abs(largestOf(numbers)) / 127);
  if (scale === 0) return 0;
  for (let index = 0; index < numbers.length; index += 1) {
    integers[index] = Math.max(-127, Math.min(127, Math.round(numbers[index]! / scale)));
  }
  return scale;
}

function byLeastError(numbers: Float32Array, integers: Int8Array): number {
  const largest = largestOf(numbers);
  if (largest === 0) return 0;
  let [best, bestGain, bestScale] = [0, -1, 0];
  for (const candidate of CANDIDATES) {
    const inverse = candidate / largest;
    let [products, squares] = [0, 0];
    for (let index = 0; index < numbers.length; index += 1) {
      const q = fourBits(numbers[index]! * inverse);
      products += q * numbers[index]!;
      squares += q * q;
    }
    // Least squares: with scale products / squares, the squared error falls by products^2 / squares.
    const gain = products ** 2 / squares;
    if (gain > bestGain) [best, bestGain, bestScale] = [inverse, gain, Math.fround(products / squares)];
  }
  for (let index = 0; index < numbers.length; index += 1) integers[index] = fourBits(numbers[index]! * best);
  return bestScale;
}

const fourBits = (value: number): number => Math.max(-8, Math.min(7, Math.round(value)));

/** The numbers that blocks stand for, row after row. */
export function dequantizeRows(
  { blocks, scales }: Blocks,
  columns: number,
  format: BlockFormat,
): Float32Array {
  const { bits, blockSize } = format;
  const perRow = blocksPerRow(columns, format);
  const values = new Float32Array((scales.length / perRow) * columns);
  const zero = 2 ** (bits - 1);
  for (let at = 0; at < values.length; at += 1) {
    const column = at % columns;
    const block = Math.floor(at / columns) * perRow + Math.floor(column / blockSize);
    const index = block * blockSize + (column % blockSize);
    const byte = blocks[bits === 8 ? index : index >> 1]!;
    const q = bits === 8 ? byte : index % 2 === 0 ? byte & 15 : byte >> 4;
    values[at] = (q - zero) * scales[block]!;
  }
  return values;
}
