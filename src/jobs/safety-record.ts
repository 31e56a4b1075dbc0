/** What is kept of a safety check, and the failure of a job whose result is refused. */
import { failure, RetouchError } from "../errors.ts";
import type { CheckerIdentity } from "../safety/verdict.ts";

/** What the safety checker said of a job's results, for operators alone; kept as long as the job. */
export interface SafetyRecord {
  checker: CheckerIdentity;
  /** From which a result was flagged, for this key. */
  threshold: number;
  /** Of each result that was drawn, in their order, 0 to 1. */
  scores: number[];
}

/** Why a flagged result is not handed out, whether the checker decides alone or an operator does. */
export function flaggedError({ scores, threshold }: SafetyRecord): RetouchError {
  const score = scores.find((one) => one >= threshold) ?? Math.max(...scores);
  return new RetouchError("OUTPUT_FLAGGED", failure("flagged", { score: score.toFixed(3), threshold }));
}
