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
