import { expect, it } from "vitest";
import { testRise, upperTail } from "../../evaluation/statistics.ts";

it.each([
  [1, 1, 0.25],
  [1, 2, 0.2113248654051871],
  [3.2, 4, 0.016450405300469487],
  [-1.5, 7, 0.911350756505015],
  [2.228138852, 10, 0.024999999999418234],
  [2, 99, 0.02411984668631648],
  [0, 5, 0.5],
])("knows how often t exceeds %f with %i degrees of freedom", (t, degrees, p) => {
  // scipy.stats.t.sf of scipy 1.17.1.
  expect(upperTail(t, degrees)).toBeCloseTo(p, 14);
});

it("keeps digits of small tails", () => {
  expect(upperTail(5, 99) / 1.2406980065204744e-6).toBeCloseTo(1, 8);
  expect(upperTail(40, 99)).toBeGreaterThanOrEqual(0);
});

it("tests pairs as scipy.stats.ttest_rel(second, first, alternative='greater')", () => {
  const { count, meanDifference, p } = testRise([1, 2, 3, 4, 5.5], [1.2, 2.6, 2.9, 4.4, 6]);
  expect(count).toBe(5);
  expect(meanDifference).toBeCloseTo(0.32, 12);
  expect(p).toBeCloseTo(0.030707986762585238, 12);
});

it("has no doubt about equal differences, and nothing to say about one pair", () => {
  expect(testRise([1, 2], [2, 3]).p).toBe(0);
  expect(testRise([1, 2], [1, 2]).p).toBe(1);
  expect(testRise([2, 3], [1, 2]).p).toBe(1);
  expect(testRise([1], [2])).toEqual({ count: 1, meanDifference: 1, p: null });
  expect(testRise([], [])).toEqual({ count: 0, meanDifference: null, p: null });
});
