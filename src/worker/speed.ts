/** What a worker knows about its own speed, and what follows from it. */
import type { JobEdit } from "../jobs/job.ts";
import { type EditSpeed, estimateMs } from "../engine/estimate.ts";
import { isNegativeUsed, type Size } from "../engine/request.ts";
import { targetSize } from "../engine/sizes.ts";
import type { EditTiming } from "./protocol.ts";

/** The published default, for workers on which edits take seconds. */
const LEAST_LIMIT_MS = 10 * 60_000;
/** The longest that a policy may ask for. */
const MOST_LIMIT_MS = 7 * 24 * 60 * 60_000;
/** Multiple of the estimate, which does not know what else the machine is doing. */
const LIMIT_FACTOR = 4;

/** How long an edit may run if nobody set a limit, milliseconds. */
export function defaultLimitMs(speed: EditSpeed | undefined, edit: JobEdit): number {
  if (speed === undefined) return LEAST_LIMIT_MS;
  const { size, numSteps } = edit;
  const estimate = estimateMs(speed, { size, numSteps, isNegativeUsed: isNegativeUsed(edit) });
  return Math.round(Math.min(MOST_LIMIT_MS, Math.max(LEAST_LIMIT_MS, LIMIT_FACTOR * estimate)));
}

/** Share of a new edit in the running average. */
const WEIGHT = 0.3;

type Measured = { size: Size; numSteps: number; isNegativeUsed: boolean };

/** The speed measured from one edit; the inverse of `estimateMs`. */
export function measureSpeed(
  { nativeArea, grid }: Pick<EditSpeed, "nativeArea" | "grid">,
  { totalMs, denoiseMs }: EditTiming,
  { size, numSteps, isNegativeUsed }: Measured,
): EditSpeed {
  const { canvas } = targetSize(size, { area: nativeArea, grid });
  const share = (canvas.width * canvas.height + nativeArea) / (2 * nativeArea);
  const stepMs = denoiseMs / (numSteps * (isNegativeUsed ? 2 : 1) * share);
  return { nativeArea, grid, stepMs, fixedMs: totalMs - denoiseMs };
}

/** A running average that follows the machine's load. */
export function averageSpeed(known: EditSpeed, latest: EditSpeed): EditSpeed {
  const average = (before: number, now: number): number => before + WEIGHT * (now - before);
  return {
    ...known,
    stepMs: average(known.stepMs, latest.stepMs),
    fixedMs: average(known.fixedMs, latest.fixedMs),
  };
}
