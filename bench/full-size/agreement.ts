/** How two velocities differ, and whether one is what a network should give. */
import { rounded } from "../../tools/statistics.ts";

export interface Agreement {
  /** The largest absolute difference over the largest absolute number of the reference. */
  maxError: number;
  /** The reference's power over the difference's, in decibels; null where they are equal. */
  decibels: number | null;
}

export function agreementOf(values: Float32Array, reference: Float32Array): Agreement {
  if (values.length !== reference.length) {
    throw new Error(`Velocities of ${values.length} and ${reference.length} numbers.`);
  }
  let [signal, noise, largest, difference] = [0, 0, 0, 0];
  for (const [index, wanted] of reference.entries()) {
    const error = values[index]! - wanted;
    signal += wanted ** 2;
    noise += error ** 2;
    largest = Math.max(largest, Math.abs(wanted));
    // NaN stays NaN.
    difference = Math.max(difference, Math.abs(error));
  }
  const decibels = noise === 0 ? null : rounded(10 * Math.log10(signal / noise));
  return { maxError: rounded(difference / largest), decibels };
}

export interface Spread {
  isFinite: boolean;
  standardDeviation: number;
}

export function spreadOf(values: Float32Array): Spread {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
  return {
    isFinite: values.every((value) => Number.isFinite(value)),
    standardDeviation: rounded(Math.sqrt(variance)),
  };
}
