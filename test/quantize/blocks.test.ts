import { describe, expect, it } from "vitest";
import { dequantizeRows, quantizeRows } from "../../src/quantize/blocks.ts";
import type { BlockFormat } from "../../src/weights/quantized.ts";
import { wave } from "../support/onnx.ts";

const FORMATS: BlockFormat[] = [
  { bits: 4, blockSize: 32 },
  { bits: 4, blockSize: 128 },
  { bits: 8, blockSize: 32 },
  { bits: 8, blockSize: 128 },
];

const squaredError = (a: Float32Array, b: Float32Array): number =>
  a.reduce((sum, value, index) => sum + (value - b[index]!) ** 2, 0);

/** One block, plainly: what the fast loops must give to the last bit. */
function roundedPlainly(numbers: number[], bits: 4 | 8): { scale: number; integers: number[] } {
  const largest = numbers.reduce((found, value) => (Math.abs(value) > Math.abs(found) ? value : found), 0);
  const within = (value: number, least: number, most: number): number =>
    Math.max(least, Math.min(most, Math.round(value))) + 0;
  if (bits === 8) {
    const scale = Math.fround(Math.abs(largest) / 127);
    return { scale, integers: numbers.map((value) => (scale === 0 ? 0 : within(value / scale, -127, 127))) };
  }
  let best = { gain: -1, scale: 0, integers: numbers.map(() => 0) };
  if (largest === 0) return best;
  for (const candidate of [-8, -9, -8.5, -7.5, -7, -6.5, -6, -5.5, -5]) {
    const inverse = candidate / largest;
    const integers = numbers.map((value) => within(value * inverse, -8, 7));
    const products = integers.reduce((sum, q, index) => sum + q * numbers[index]!, 0);
    const squares = integers.reduce((sum, q) => sum + q * q, 0);
    const gain = products ** 2 / squares;
    if (gain > best.gain) best = { gain, scale: Math.fround(products / squares), integers };
  }
  return best;
}

/** Rows of numbers that rounding may go wrong with; `at` goes on over all of them. */
const ROWS: Record<string, (at: number) => number> = {
  "numbers of every size": (at) => Math.sin(at * at) * 2 ** ((at * 7) % 40) * 1e-5,
  "numbers of 8 significant bits, often halfway": (at) => (((at * 37) % 385) - 192) / 2 ** (at % 4),
  "halves of the largest's steps, of which it is a third": (at) => (((at * 11) % 33) - 16) * (1.5 / 16),
  "the largest below zero": (at) => (at % 32 === 3 ? -1 : Math.sin(at) / 2),
  "the largest twice, with both signs": (at) => (at % 5 === 0 ? (at % 2 ? 3 : -3) : Math.cos(at)),
  "denormal numbers": (at) => (((at * 13) % 29) - 14) * 2 ** -149,
  "the largest of all numbers and the smallest": (at) =>
    [2 ** 127, -(2 ** 127), 2 ** -149, 2 ** 126 * 1.5, 0, -0][(at * 7) % 6]!,
  "only here and there a number": (at) => (at % 211 === 0 ? at + 1 : 0),
};

describe.each(FORMATS)("blocks of $bits bits and $blockSize numbers", (format) => {
  const { bits, blockSize } = format;
  const largest = 2 ** (bits - 1) - 1;

  it("keep every number that is a whole multiple of a power of two", () => {
    // Two rows with a last block that is not full; every block has the number that sets the scale.
    const columns = 2 * blockSize + 5;
    const values = Float32Array.from({ length: 2 * columns }, (_, index) => {
      const column = index % columns;
      const integer =
        column % blockSize === 0 ? (bits === 4 ? -8 : 127) : ((column * 5) % (2 * largest)) - largest;
      return integer * 0.25;
    });
    const blocks = quantizeRows(values, columns, format);
    expect([blocks.scales.length, blocks.blocks.length]).toEqual([6, (6 * blockSize * bits) / 8]);
    expect(dequantizeRows(blocks, columns, format)).toEqual(values);
  });

  it("are off by no more than half a step where the largest number sets the scale", () => {
    const values = Float32Array.from(wave(3 * blockSize));
    const back = dequantizeRows(quantizeRows(values, blockSize, format), blockSize, format);
    const half = bits === 8 ? 0.5 / 127 : 0.5 / 7;
    const byLargest = values.length * (half ** 2 / 3);
    expect(squaredError(values, back)).toBeLessThan(1.2 * byLargest);
  });

  it.each(Object.entries(ROWS))("round %s as plainly written loops do", (_, numberAt) => {
    const columns = 2 * blockSize + 13;
    const values = Float32Array.from({ length: 9 * columns }, (__, at) => numberAt(at));
    const rounded = quantizeRows(values, columns, format);
    const expected = { integers: [] as number[], scales: [] as number[], stored: [] as number[] };
    for (let start = 0; start < values.length; start += columns) {
      const row = [...values.subarray(start, start + columns)];
      for (let first = 0; first < columns; first += blockSize) {
        const { scale, integers } = roundedPlainly(row.slice(first, first + blockSize), bits);
        expected.scales.push(scale);
        expected.stored.push(...integers.map((q) => Math.fround(q * scale)));
        expected.integers.push(...integers, ...Array<number>(blockSize - integers.length).fill(0));
      }
    }
    const { blocks, scales } = rounded;
    const integers = Array.from(expected.integers, (__, index) =>
      bits === 8 ? blocks[index]! - 128 : ((blocks[index >> 1]! >> (4 * (index % 2))) & 15) - 8,
    );
    expect(integers).toEqual(expected.integers);
    expect(scales).toEqual(Float32Array.from(expected.scales));
    const stored = dequantizeRows(rounded, columns, format);
    expect(stored).toEqual(Float32Array.from(expected.stored));
    expect(rounded.squaredError).toBe(squaredError(values, stored));
    expect(rounded.squares).toBe(squaredError(values, new Float32Array(values.length)));
  });

  it("of zeros are zeros", () => {
    const values = new Float32Array(blockSize);
    expect(dequantizeRows(quantizeRows(values, blockSize, format), blockSize, format)).toEqual(values);
  });
});

describe("4 bits", () => {
  it("never lose more than with the scale of the largest number, and less in all", () => {
    const format: BlockFormat = { bits: 4, blockSize: 128 };
    // About normally distributed, as trained weights are.
    const normal = [0, 1, 2, 3, 4, 5].map((phase) => wave(64 * 128, phase * phase));
    const values = Float32Array.from(wave(64 * 128), (_, index) =>
      normal.reduce((sum, terms, term) => sum + terms[(index * (2 * term + 1)) % terms.length]!, 0),
    );
    let [best, byLargest] = [0, 0];
    for (let start = 0; start < values.length; start += 128) {
      const block = values.subarray(start, start + 128);
      const largest = block.reduce((found, value) => (Math.abs(value) > Math.abs(found) ? value : found));
      const plain = block.map(
        (value) => Math.max(-8, Math.min(7, Math.round((value / largest) * -8))) * (largest / -8),
      );
      const [own, other] = [dequantizeRows(quantizeRows(block, 128, format), 128, format), plain].map(
        (back) => squaredError(block, back!),
      );
      expect(own).toBeLessThanOrEqual(other!);
      best += own!;
      byLargest += other!;
    }
    expect(best).toBeLessThan(0.98 * byLargest);
  });
});

it("have one scale for all of a row's 8-bit blocks where the format says so", () => {
  const columns = 64;
  const values = Float32Array.from(wave(2 * columns), (value, index) =>
    index < columns ? value : 3 * value,
  );
  const format: BlockFormat = { bits: 8, blockSize: 32, isRowScaled: true };
  const { scales, blocks } = quantizeRows(values, columns, format);
  const rows = [values.subarray(0, columns), values.subarray(columns)];
  const expected = rows.map((row) => Math.fround(Math.max(...row.map(Math.abs)) / 127));
  expect([...scales]).toEqual([expected[0], expected[0], expected[1], expected[1]]);
  expect([...blocks]).toEqual(
    rows.flatMap((row, index) => Array.from(row, (value) => Math.round(value / expected[index]!) & 0xff)),
  );
  const close = dequantizeRows({ scales, blocks }, columns, format);
  for (const [index, value] of values.entries()) {
    expect(Math.abs(close[index]! - value)).toBeLessThanOrEqual(expected[index < columns ? 0 : 1]! * 0.51);
  }
});
