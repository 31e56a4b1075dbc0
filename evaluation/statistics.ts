/** Groups and means of measurements, and Student's t test of pairs. */
import { rounded } from "../tools/statistics.ts";

/** Groups values by name, in the order in which each name first occurs. */
export function groupsOf<Value>(
  values: readonly Value[],
  nameOf: (value: Value) => string,
): Map<string, Value[]> {
  const groups = new Map<string, Value[]>();
  for (const value of values) {
    const name = nameOf(value);
    const group = groups.get(name);
    if (group) group.push(value);
    else groups.set(name, [value]);
  }
  return groups;
}

/** The mean of the values that are not null, to four digits; null where there is none. */
export function meanOf(values: readonly (number | null)[]): number | null {
  const present = values.filter((value) => value !== null);
  if (present.length === 0) return null;
  return rounded(present.reduce((sum, value) => sum + value, 0) / present.length);
}

/** How many values are not null. */
export const countOf = (values: readonly (number | null)[]): number =>
  values.filter((value) => value !== null).length;

export interface PairedTest {
  /** How many pairs. */
  count: number;
  /** The mean of second - first. */
  meanDifference: number | null;
  /** Probability of such a mean, or a larger one, if there were no difference; null with fewer than two pairs. */
  p: number | null;
}

/** Student's one-sided t test: is the second number of a pair larger than the first? */
export function testRise(first: readonly number[], second: readonly number[]): PairedTest {
  const differences = second.map((value, pair) => value - first[pair]!);
  const count = differences.length;
  if (count === 0) return { count, meanDifference: null, p: null };
  const mean = differences.reduce((sum, value) => sum + value, 0) / count;
  if (count === 1) return { count, meanDifference: mean, p: null };
  const variance = differences.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (count - 1);
  const standardError = Math.sqrt(variance / count);
  // All differences are equal, so there is no doubt: the second is larger or it is not.
  const p = standardError === 0 ? (mean > 0 ? 0 : 1) : upperTail(mean / standardError, count - 1);
  return { count, meanDifference: mean, p };
}

/**
 * The probability that Student's t with a whole number of degrees of freedom exceeds `t`: the finite sums of Abramowitz
 * and Stegun, 26.7.3 and 26.7.4. Exact to some 1e-15, below which it is 0.
 */
export function upperTail(t: number, degrees: number): number {
  const angle = Math.atan(Math.abs(t) / Math.sqrt(degrees));
  const [sine, cosine] = [Math.sin(angle), Math.cos(angle)];
  const isOdd = degrees % 2 === 1;
  // Odd: cos + 2/3 cos^3 + 2*4/(3*5) cos^5 + ...; even: 1 + 1/2 cos^2 + 1*3/(2*4) cos^4 + ...
  let term = isOdd ? cosine : 1;
  let sum = degrees === 1 ? 0 : term;
  for (let power = isOdd ? 3 : 2; power <= degrees - 2; power += 2) {
    term *= ((power - 1) / power) * cosine ** 2;
    sum += term;
  }
  const within = isOdd ? (2 / Math.PI) * (angle + sine * sum) : sine * sum;
  const beyond = Math.max(0, (1 - within) / 2);
  return t >= 0 ? beyond : 1 - beyond;
}
