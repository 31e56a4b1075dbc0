/** How far two lists of numbers are apart. */
import { expect } from "vitest";

export interface Difference {
  /** 2-norm of the difference over the 2-norm of the expected numbers. */
  relative: number;
  largest: number;
  /** Where the largest difference is. */
  index: number;
}

export function difference(actual: ArrayLike<number>, expected: ArrayLike<number>): Difference {
  expect(actual.length).toBe(expected.length);
  let [squares, reference, largest, index] = [0, 0, 0, 0];
  for (let at = 0; at < expected.length; at += 1) {
    const error = Math.abs(actual[at]! - expected[at]!);
    squares += error * error;
    reference += expected[at]! ** 2;
    // Written so that a NaN is the largest difference.
    if (!(error <= largest)) [largest, index] = [error, at];
  }
  return { relative: Math.sqrt(squares / (reference || 1)), largest, index };
}

/** Peak signal-to-noise ratio of 8-bit pictures, in decibels; Infinity where they are equal. */
export function psnr(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  expect(actual.length).toBe(expected.length);
  let squares = 0;
  for (let at = 0; at < expected.length; at += 1) squares += (actual[at]! - expected[at]!) ** 2;
  return 10 * Math.log10(255 ** 2 / (squares / expected.length));
}
