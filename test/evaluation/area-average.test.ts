import { expect, it } from "vitest";
import { areaAverage, reducePicture } from "../../evaluation/measures.ts";

/** One number a pixel, in all three channels. */
const gray = (width: number, height: number, values: readonly number[]) => ({
  width,
  height,
  data: Uint8Array.from(values.flatMap((value) => [value, value, value])),
});
const line = gray(5, 1, [0, 100, 200, 30, 60]);
const red = (values: Float64Array): number[] => [...values].filter((_, at) => at % 3 === 0);

it("counts a pixel at the edge by the part that is inside", () => {
  // 2.5 pixels each: 0 + 100 + half of 200; half of 200 + 30 + 60.
  expect(red(areaAverage(line, 2, 1))).toEqual([80, 76]);
  const thirds = red(areaAverage(line, 3, 1));
  expect(thirds[0]).toBeCloseTo((0 + 100 * (2 / 3)) / (5 / 3), 12);
  expect(thirds[1]).toBeCloseTo((100 / 3 + 200 + 30 / 3) / (5 / 3), 12);
});

it("takes whole pixels by their mean, and one pixel as it is", () => {
  expect(red(areaAverage(gray(4, 2, [1, 3, 5, 7, 5, 7, 9, 11]), 2, 1))).toEqual([4, 8]);
  expect(red(areaAverage(line, 5, 1))).toEqual([0, 100, 200, 30, 60]);
});

it("keeps the mean of the whole, and a picture that has the size", () => {
  const data = Uint8Array.from({ length: 48 * 85 * 3 }, (_, at) => (at * 101) % 256);
  const picture = { width: 48, height: 85, data };
  const meanOf = (values: ArrayLike<number>): number =>
    Array.from(values).reduce((sum, v) => sum + v, 0) / values.length;
  expect(meanOf(areaAverage(picture, 32, 32))).toBeCloseTo(meanOf(data), 9);
  expect(reducePicture(picture, 48, 85)).toBe(picture);
});
