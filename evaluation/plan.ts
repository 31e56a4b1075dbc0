/** With which settings the set is measured. */

export interface Plan {
  /** Of every edit whose part says nothing else. */
  numSteps: number;
  guidance: number;
  /** Compared on the probe scenes. */
  guidances: readonly number[];
  steps: readonly number[];
  /** Pairs of guidances between which margin and change should rise. */
  rises: readonly (readonly [number, number])[];
  /** A pair of guidances between which what is kept should hardly fall. */
  keptOver: readonly [number, number];
}

export const PLAN: Plan = {
  numSteps: 28,
  guidance: 2,
  guidances: [0, 2, 5, 10],
  steps: [4, 8, 28, 50],
  rises: [
    [0, 2],
    [2, 5],
  ],
  keptOver: [5, 10],
};
