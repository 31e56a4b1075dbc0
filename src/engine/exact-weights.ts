/** Weights as devices other than the CPU multiply them. */
import type { WeightSet } from "../weights/weight-set.ts";

/** Matrices in few bits multiplied without rounding what they are multiplied with: that is faster on the CPU alone. */
export const exactly = (weights: WeightSet): WeightSet =>
  weights.with({ accuracyLevel: 1, isKeptHalf: weights.isKeptHalf });
