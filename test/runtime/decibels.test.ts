import { expect, it } from "vitest";
import { decibelsBetween, decibelText } from "../../src/runtime/decibels.ts";
import { DrawnNumbers } from "../../src/runtime/drawn-numbers.ts";

it.each([
  [[1.1, -2.2], [1, -2], 20],
  [[1.01, -2.02], [1, -2], 40],
  [[0, 0], [1, -2], 0],
  [[2, -4], [1, -2], 0],
  [[1, -2], [1, -2], Infinity],
  [[1], [1, -2], -Infinity],
  [[Number.NaN, -2], [1, -2], -Infinity],
  [[1, Infinity], [1, -2], -Infinity],
  [[1, 2], [0, 0], -Infinity],
])("%j is near %j by %d dB", (actual, wanted, decibels) => {
  expect(decibelsBetween(actual, wanted)).toBeCloseTo(decibels, 9);
});

it.each([
  [23.06, "23.1 dB"],
  [-3, "-3.0 dB"],
  [-Infinity, "-∞ dB"],
  [Infinity, "∞ dB"],
])("%d is %s", (decibels, text) => expect(decibelText(decibels)).toBe(text));

it("draws the same numbers for a seed, of the kind that is asked for", () => {
  const numbers = new DrawnNumbers(22);
  const { data, shape } = numbers.normal([101, 99], 2);
  expect(shape).toEqual([101, 99]);
  expect(data).toEqual(new DrawnNumbers(22).normal([101, 99], 2).data);
  expect(data).not.toEqual(new DrawnNumbers(23).normal([101, 99], 2).data);
  const values = Array.from(data as Float32Array);
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const power = values.reduce((sum, value) => sum + value ** 2, 0) / values.length;
  expect(Math.abs(mean)).toBeLessThan(0.06);
  expect(power).toBeGreaterThan(3.8);
  expect(power).toBeLessThan(4.2);

  const ids = Array.from(numbers.whole([500], 7).data, Number);
  expect(new Set(ids)).toEqual(new Set([0, 1, 2, 3, 4, 5, 6]));
  const { cos, sin } = numbers.angles([3, 5]);
  expect(Number(cos.data[4]) ** 2 + Number(sin.data[4]) ** 2).toBeCloseTo(1, 6);
});
