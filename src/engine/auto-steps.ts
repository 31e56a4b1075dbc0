/**
 * The number of steps that `auto` stands for: the fewest whose pictures come near enough to the checkpoint's best, by a curve
 * that was measured (`npm run eval:steps`) and is kept with it, in `steps.json`.
 */
import { SAMPLERS, type SamplerName } from "../sampling/sampler-names.ts";
import type { Checkpoint } from "../weights/checkpoint.ts";
import { isRecord } from "../weights/config.ts";
import { EDIT_PARAMETERS } from "./edit-parameters.ts";
import type { AutoSteps, EditDefaults } from "./model-traits.ts";

/** Beside `model_index.json`. */
export const STEPS_FILE = "steps.json";

/** Near enough, in the median: beside each other, the two pictures look the same. */
export const NEAR_DECIBELS = 40;

/** @throws RetouchError CHECKPOINT_INVALID naming what is wrong in the file; @returns undefined if there is none */
export async function readAutoSteps(checkpoint: Checkpoint): Promise<AutoSteps | undefined> {
  if (!(await checkpoint.has(STEPS_FILE))) return undefined;
  const file = await checkpoint.config(STEPS_FILE);
  const curves = file.get("curves");
  const chosen: Partial<Record<SamplerName, number>> = {};
  for (const sampler of SAMPLERS) {
    const curve = isRecord(curves) ? curves[sampler] : undefined;
    if (curve === undefined && isRecord(curves)) continue;
    const points = pointsOf(curve);
    if (points === undefined) throw file.invalid("curves", "decibels by numbers of steps, for each sampler");
    chosen[sampler] = fewestOf(points);
  }
  return chosen;
}

/** The number of steps of a request that says `auto`. */
export const autoStepsOf = (
  { numSteps, autoSteps }: Pick<EditDefaults, "numSteps" | "autoSteps">,
  sampler: SamplerName,
): number => autoSteps?.[sampler] ?? numSteps;

/** What whoever says `auto` should know; where there are sigmas, they decide. */
export function autoNotices(
  { numSteps, sigmas }: { numSteps?: unknown; sigmas?: unknown },
  defaults: Pick<EditDefaults, "numSteps" | "autoSteps">,
  sampler: SamplerName,
): string[] {
  if (numSteps !== AUTO || sigmas !== undefined || defaults.autoSteps?.[sampler] !== undefined) return [];
  return [
    `How many steps are enough was not measured with ${sampler} for this checkpoint, so the edit takes the model's own ${defaults.numSteps}.`,
  ];
}

export const AUTO = EDIT_PARAMETERS.numSteps.word;

interface Point {
  steps: number;
  decibels: number;
}

function pointsOf(curve: unknown): Point[] | undefined {
  if (!isRecord(curve)) return undefined;
  const { min, max } = EDIT_PARAMETERS.numSteps;
  const points = Object.entries(curve).map(([steps, decibels]) => ({
    steps: Number(steps),
    decibels: decibels as number,
  }));
  const areValid = points.every(
    ({ steps, decibels }) =>
      Number.isInteger(steps) && steps >= min && steps <= max && Number.isFinite(decibels),
  );
  return areValid && points.length > 0 ? points.toSorted((a, b) => a.steps - b.steps) : undefined;
}

/** The fewest that are near enough and stay so with more steps; or else the nearest. */
function fewestOf(points: readonly Point[]): number {
  const lastFar = points.findLastIndex(({ decibels }) => decibels < NEAR_DECIBELS);
  const near = points[lastFar + 1];
  if (near !== undefined) return near.steps;
  return points.reduce((best, point) => (point.decibels > best.decibels ? point : best)).steps;
}
