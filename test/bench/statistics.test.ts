import { expect, it } from "vitest";
import { medianOf, percentileOf, summarize } from "../../bench/statistics.ts";

it("takes the middle of an odd number of values and the mean of the middle two of an even number", () => {
  expect(medianOf([3, 1, 10])).toBe(3);
  expect(medianOf([4, 1, 10, 2])).toBe(3);
});

it("keeps the order of the values and four digits of each", () => {
  expect(summarize([2.00004, 1, 123456])).toEqual({
    median: 2,
    min: 1,
    max: 123500,
    values: [2, 1, 123500],
  });
});

it("takes a percentile from what was measured, by nearest rank", () => {
  const values = Array.from({ length: 100 }, (_, index) => 100 - index);
  expect([50, 95, 99, 100].map((percent) => percentileOf(values, percent))).toEqual([50, 95, 99, 100]);
  expect(percentileOf([7, 3], 50)).toBe(3);
  expect(percentileOf([7], 95)).toBe(7);
});
