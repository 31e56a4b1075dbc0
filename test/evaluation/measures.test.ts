import { expect, it } from "vitest";
import { changeMask, changeOf, decibelsOf, distanceOf, outside, union } from "../../evaluation/measures.ts";

const pixels = (...values: number[][]) => ({
  width: values.length,
  height: 1,
  data: Uint8Array.from(values.flat()),
});

it("takes the mean of the absolute differences", () => {
  expect(distanceOf([0, 10, 20], [1, 7, 20])).toBeCloseTo(4 / 3, 12);
  expect(distanceOf(new Uint8Array([5, 5]), [5, 5])).toBe(0);
});

it("gives decibels of the mean square, and 60 to equal pictures", () => {
  const black = pixels([0, 0, 0], [0, 0, 0]);
  // One channel of six by 255: the mean square is 255^2 / 6.
  expect(decibelsOf(black, pixels([255, 0, 0], [0, 0, 0]))).toBeCloseTo(10 * Math.log10(6), 12);
  expect(decibelsOf(black, pixels([51, 51, 51], [51, 51, 51]))).toBeCloseTo(20 * Math.log10(5), 12);
  expect(decibelsOf(black, black)).toBe(60);
});

it("marks a pixel where any channel differs by more than 12", () => {
  const source = pixels([100, 100, 100], [100, 100, 100], [100, 100, 100]);
  const truth = pixels([112, 88, 100], [100, 113, 100], [100, 100, 87]);
  const mask = changeMask(source, truth);
  expect([...mask]).toEqual([0, 1, 1]);
  expect([...outside(mask)]).toEqual([1, 0, 0]);
  expect([...union(mask, Uint8Array.of(1, 0, 1))]).toEqual([1, 1, 1]);
});

it("measures the marked pixels alone, and none where none is marked", () => {
  const a = pixels([0, 0, 0], [10, 20, 30]);
  const b = pixels([255, 255, 255], [11, 18, 30]);
  const second = Uint8Array.of(0, 1);
  expect(changeOf(a, b, second)).toBe(1);
  expect(decibelsOf(a, b, second)).toBeCloseTo(10 * Math.log10(255 ** 2 / (5 / 3)), 12);
  expect(decibelsOf(a, b, Uint8Array.of(0, 0))).toBeNull();
  expect(changeOf(a, b, Uint8Array.of(0, 0))).toBeNull();
});
