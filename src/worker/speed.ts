/** What a worker knows about its own speed, and what follows from it. */
import { type EstimatedEdit, type EditScale, type EditSpeed, nativeSteps } from "../engine/estimate.ts";
import { estimateJobMs } from "../jobs/estimate.ts";
import type { JobEdit, JobResult } from "../jobs/job.ts";
import type { EditTiming } from "./protocol.ts";

/** The published default, for workers on which edits take seconds. */
const LEAST_LIMIT_MS = 10 * 60_000;
/** The longest that a policy may ask for. */
const MOST_LIMIT_MS = 7 * 24 * 60 * 60_000;
/** Multiple of the estimate, which does not know what else the machine is doing. */
export const LIMIT_FACTOR = 4;

/** How long an edit may run if nobody set a limit, milliseconds. */
export function defaultLimitMs(speed: EditSpeed | undefined, edit: JobEdit): number {
  if (speed === undefined) return LEAST_LIMIT_MS * (edit.numImages ?? 1);
  const estimate = estimateJobMs(speed, edit);
  return Math.round(Math.min(MOST_LIMIT_MS, Math.max(LEAST_LIMIT_MS, LIMIT_FACTOR * estimate)));
}

/** Share of a new edit in the running average. */
const WEIGHT = 0.3;

/** The speed measured from one edit; the inverse of `estimateMs`. */
export function measureSpeed(
  { nativeArea, grid, isSmallKept, secondPass, attentionShare }: EditScale,
  { totalMs, denoiseMs }: Pick<EditTiming, "totalMs" | "denoiseMs">,
  edit: EstimatedEdit,
): EditSpeed {
  const scale = { nativeArea, grid, isSmallKept, secondPass, attentionShare };
  return { ...scale, stepMs: denoiseMs / nativeSteps(scale, edit), fixedMs: totalMs - denoiseMs };
}

/**
 * The speed after an edit that ended; `known` if all of its steps were taken by an earlier attempt. One with several results
 * tells how long steps take, but not how long the rest of one result does.
 */
export function speedAfter(
  known: EditSpeed,
  { size, sampler, guidance, isNegativeUsed, ...result }: JobResult,
  timing: Omit<EditTiming, "partsMs">,
): EditSpeed {
  const { numSteps = result.numSteps, images } = timing;
  if (numSteps === 0) return known;
  const numImages = result.images?.length ?? 1;
  const ofOne = { totalMs: timing.totalMs, denoiseMs: timing.denoiseMs / numImages };
  const measured = measureSpeed(known, ofOne, { size, images, numSteps, sampler, guidance, isNegativeUsed });
  return averageSpeed(known, numImages === 1 ? measured : { ...measured, fixedMs: known.fixedMs });
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
