/** The project's aims, compared with what was measured. */

export interface Goal {
  goal: string;
  /** Null where it was not measured. */
  value: number | null;
  wanted: string;
  isMet: boolean | null;
}

export const atLeast = (goal: string, value: number | null, bound: number): Goal => ({
  goal,
  value,
  wanted: `at least ${bound}`,
  isMet: value === null ? null : value >= bound,
});

export const atMost = (goal: string, value: number | null, bound: number): Goal => ({
  goal,
  value,
  wanted: `at most ${bound}`,
  isMet: value === null ? null : value <= bound,
});
