/** The soft edge inside a mask. */
import { describe, expect, it } from "vitest";
import type { GrayPicture } from "../../src/images/picture.ts";
import { feathered } from "../../src/pipelines/shared/feather.ts";

const rowOf = (width: number, from: number, to: number): GrayPicture => ({
  width,
  height: 1,
  data: Uint8Array.from({ length: width }, (_, x) => (x >= from && x < to ? 255 : 0)),
});

describe("a feather", () => {
  it("rises inside the mask alone, over its width, and not from the border of the picture", () => {
    expect([...feathered(rowOf(10, 2, 10), 3).data]).toEqual([0, 0, 64, 128, 191, 255, 255, 255, 255, 255]);
    expect([...feathered(rowOf(9, 2, 7), 4).data]).toEqual([0, 0, 51, 102, 153, 102, 51, 0, 0]);
    expect(feathered(rowOf(9, 2, 7), 0)).toEqual(rowOf(9, 2, 7));
  });

  it("is as wide in every direction, within a tenth", () => {
    const size = 61;
    const data = Uint8Array.from({ length: size * size }, (_, pixel) => (pixel === 30 * size + 30 ? 0 : 255));
    const soft = feathered({ width: size, height: size, data }, 29);
    for (let y = 0; y < size; y += 1) {
      for (let x = 0; x < size; x += 1) {
        const share = Math.min(1, Math.hypot(x - 30, y - 30) / 30);
        expect(Math.abs(soft.data[y * size + x]! / 255 - share)).toBeLessThanOrEqual(0.1);
      }
    }
  });
});
