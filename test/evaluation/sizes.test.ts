import { expect, it } from "vitest";
import { drawnSize } from "../../evaluation/checkpoint.ts";
import { targetSize } from "../../src/kontext/sizes.ts";

const native = { area: 128 ** 2, grid: 16 };

it("is the native area in the picture's shape, and never larger than the picture", () => {
  expect(drawnSize({ width: 192, height: 192 }, native)).toEqual({ width: 128, height: 128 });
  expect(drawnSize({ width: 256, height: 144 }, native)).toEqual({ width: 171, height: 96 });
  expect(drawnSize({ width: 64, height: 64 }, native)).toEqual({ width: 64, height: 64 });
});

it("is a size that the engine leaves as it is", () => {
  for (let width = 100; width < 400; width += 1) {
    for (let height = 100; height < 400; height += 7) {
      const size = drawnSize({ width, height }, native);
      expect(targetSize(size, native).content).toEqual(size);
    }
  }
});
