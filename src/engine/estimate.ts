/** Estimates how long an edit will take, before it starts, from what the worker measured at its native size. */
import type { Size } from "./request.ts";
import { targetSize } from "./sizes.ts";

/** What a worker measured while warming up, then averages with every edit. */
export interface EditSpeed {
  /** Everything but the steps, in milliseconds. */
  fixedMs: number;
  /** One step of one pass with target and reference at the native size, in milliseconds. */
  stepMs: number;
  /** Pixels of the native size. */
  nativeArea: number;
  /** Side of a token, in pixels. */
  grid: number;
}

/**
 * Estimates an edit in milliseconds. A step is assumed to be linear in the tokens of target and reference, with the
 * reference at the native size. The target is never larger than that, so attention's quadratic share only makes the
 * estimate a little too long.
 */
export function estimateMs(
  { fixedMs, stepMs, nativeArea, grid }: EditSpeed,
  edit: { size: Size; numSteps: number; isNegativeUsed: boolean },
): number {
  const { canvas } = targetSize(edit.size, { area: nativeArea, grid });
  const share = (canvas.width * canvas.height + nativeArea) / (2 * nativeArea);
  return fixedMs + edit.numSteps * (edit.isNegativeUsed ? 2 : 1) * stepMs * share;
}
