/** What a worker knows of its own speed. */
import type { WorkerSpeed } from "../jobs/job.ts";
import type { Size } from "../kontext/request.ts";
import { targetSize } from "../kontext/sizes.ts";
import type { EditTiming } from "./protocol.ts";

/** Share of a new edit in the running average. */
const WEIGHT = 0.3;

type Measured = { size: Size; numSteps: number; isNegativeUsed: boolean };

/** The speed that one edit shows; the inverse of `estimateMs`. */
export function measureSpeed(
  { nativeArea, grid }: Pick<WorkerSpeed, "nativeArea" | "grid">,
  { totalMs, denoiseMs }: EditTiming,
  { size, numSteps, isNegativeUsed }: Measured,
): WorkerSpeed {
  const { canvas } = targetSize(size, { area: nativeArea, grid });
  const share = (canvas.width * canvas.height + nativeArea) / (2 * nativeArea);
  const stepMs = denoiseMs / (numSteps * (isNegativeUsed ? 2 : 1) * share);
  return { nativeArea, grid, stepMs, fixedMs: totalMs - denoiseMs };
}

/** The average that goes with the machine's load. */
export function averageSpeed(known: WorkerSpeed, latest: WorkerSpeed): WorkerSpeed {
  const average = (before: number, now: number): number => before + WEIGHT * (now - before);
  return {
    ...known,
    stepMs: average(known.stepMs, latest.stepMs),
    fixedMs: average(known.fixedMs, latest.fixedMs),
  };
}
