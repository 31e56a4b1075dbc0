/** What becomes of a result that the safety checker flags: it is refused, or it waits for an operator. */
import type { FlaggedAction } from "../config/edit-settings.ts";
import type { Engine } from "../engine/engine.ts";
import type { EditResult } from "../engine/run-edit.ts";
import { RetouchError } from "../errors.ts";
import type { Judged } from "./protocol.ts";
import { flaggedError, type SafetyRecord } from "../jobs/safety-record.ts";

/** A refused result, with what the checker said of all that were drawn. */
export class FlaggedResult extends RetouchError {
  readonly safety: SafetyRecord;

  constructor(safety: SafetyRecord) {
    const { code, failure } = flaggedError(safety);
    super(code, failure);
    this.safety = safety;
  }
}

/**
 * Judges all results of an edit together: one that is flagged holds or refuses all of them.
 * @returns nothing where none was checked
 * @throws FlaggedResult where they are refused
 */
export async function judge(
  engine: Partial<Pick<Engine, "checkerIdentity">>,
  { results }: Pick<EditResult, "results">,
  action: FlaggedAction,
): Promise<Judged | undefined> {
  const verdicts = results.flatMap(({ safety }) => safety ?? []);
  const [first] = verdicts;
  const checker = await engine.checkerIdentity?.();
  if (first === undefined || checker === undefined) return undefined;
  const { threshold } = first;
  const safety = { checker, threshold, scores: verdicts.map(({ score }) => score) };
  if (verdicts.every(({ isFlagged }) => isFlagged !== true)) return { safety, isHeld: false };
  if (action === "refuse") throw new FlaggedResult(safety);
  return { safety, isHeld: true };
}
