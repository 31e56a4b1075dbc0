import { describe, expect, it } from "vitest";
import { isStitched, stitchedSize, stitchedSizes } from "../../../src/engine/stitched-size.ts";
import type { Picture } from "../../../src/images/picture.ts";
import { stitchPictures } from "../../../src/pipelines/shared/stitch.ts";

const plain = (width: number, height: number, value: number): Picture => ({
  width,
  height,
  data: new Uint8Array(width * height * 3).fill(value),
});

describe("pictures side by side", () => {
  it("are as high as the first, from left to right", async () => {
    const { width, height, data } = await stitchPictures([
      plain(2, 4, 10),
      plain(2, 2, 20),
      plain(3, 12, 30),
    ]);
    expect([width, height]).toEqual([7, 4]);
    const row = [10, 10, 20, 20, 20, 20, 30].flatMap((value) => [value, value, value]);
    expect([...data]).toEqual([...row, ...row, ...row, ...row]);
  });

  it("are the picture itself where there is one", async () => {
    const one = plain(5, 3, 1);
    expect(await stitchPictures([one])).toBe(one);
  });

  it("have at most 16 million pixels", () => {
    const large = { width: 8000, height: 8000 };
    const { width, height } = stitchedSize([large, large]);
    expect([width, height]).toEqual([5656, 2828]);
    expect(stitchedSizes([large, { width: 1, height: 8000 }])[1]).toEqual({ width: 1, height: 3999 });
  });

  it("are at most 64 times as wide as high", async () => {
    expect(isStitched([plain(32, 1, 0), plain(32, 1, 0)])).toBe(true);
    await expect(stitchPictures([plain(33, 1, 0), plain(32, 1, 0)])).rejects.toThrow(
      "imageLayout is not supported: side by side, the images are more than 64 times as wide as high.",
    );
  });
});
