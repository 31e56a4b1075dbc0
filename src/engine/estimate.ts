/** How long an edit will take, before it is begun: from what the worker measured at its native size. */
import type { Size } from "./request.ts";
import { targetSize } from "./sizes.ts";

/** What a worker measured when it warmed up, and goes on averaging with every edit. */
export interface EditSpeed {
  /** Everything but the steps, milliseconds. */
  fixedMs: number;
  /** One step of one pass with target and reference at the native size, milliseconds. */
  stepMs: number;
  /** Pixels of the native size. */
  nativeArea: number;
  /** Pixels of a token's side. */
  grid: number;
}

/**
 * Estimates an edit in milliseconds. A step is taken as linear in the tokens of target and reference, the reference
 * as native: a target is never larger, so attention's squared share only makes the estimate a little long.
 */
export function estimateMs(
  { fixedMs, stepMs, nativeArea, grid }: EditSpeed,
  edit: { size: Size; numSteps: number; isNegativeUsed: boolean },
): number {
  const { canvas } = targetSize(edit.size, { area: nativeArea, grid });
  const share = (canvas.width * canvas.height + nativeArea) / (2 * nativeArea);
  return fixedMs + edit.numSteps * (edit.isNegativeUsed ? 2 : 1) * stepMs * share;
}
