/** How near two lists of numbers are. */
import type { Decibels } from "./protocol.ts";

/**
 * Peak signal-to-noise ratio. @param peak the largest difference there can be; by default the range of `expected`
 */
export function decibelsOf(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  peak = rangeOf(expected),
): Decibels {
  if (!Number.isFinite(peak)) return "none";
  if (actual.length !== expected.length) return -Infinity;
  let squares = 0;
  for (let at = 0; at < expected.length; at += 1) squares += (actual[at]! - expected[at]!) ** 2;
  if (squares === 0) return "equal";
  const ratio = 20 * Math.log10(peak / Math.sqrt(squares / expected.length));
  return Number.isNaN(ratio) ? -Infinity : ratio;
}

/** NaN if any number is none. */
function rangeOf(values: ArrayLike<number>): number {
  let [least, most] = [Infinity, -Infinity];
  for (let at = 0; at < values.length; at += 1) {
    if (!Number.isFinite(values[at]!)) return Number.NaN;
    least = Math.min(least, values[at]!);
    most = Math.max(most, values[at]!);
  }
  return most - least;
}
