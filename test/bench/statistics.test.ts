import { expect, it } from "vitest";
import { medianOf, middleMeanOf, percentileOf, summarize } from "../../tools/statistics.ts";

it("takes the middle of an odd number of values and the mean of the middle two of an even number", () => {
  expect(medianOf([3, 1, 10])).toBe(3);
  expect(medianOf([4, 1, 10, 2])).toBe(3);
});

it("takes the mean of the middle half", () => {
  expect(middleMeanOf([2, 3, 3, 3, 4, 4, 900, 1])).toBe(3.25);
  expect(middleMeanOf([5])).toBe(5);
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
