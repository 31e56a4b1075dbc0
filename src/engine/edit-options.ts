/** What one call of an engine takes beside the request. */
import type { ReuseBudget } from "../sampling/reuse.ts";
import type { GroupPlace } from "./edit-group.ts";
import type { OfferedState, ResumeOutcome } from "./edit-states.ts";
import type { EditStep } from "./model.ts";

/** How one call of `edit()` runs: callbacks, cancellation, resuming. */
export interface EditOptions {
  /** Aborts the edit within one step; the promise then rejects with the code ABORTED. */
  signal?: AbortSignal | undefined;
  /** Called after every step; the loop waits for the promise it returns. */
  onStep?: ((step: EditStep) => void | Promise<void>) | undefined;
  /**
   * Whether `onStep` calls a step's `sketch()`. If so, the engine's first such edit begins by encoding and decoding four
   * small images; otherwise the first sketch does. @default false
   */
  isSketched?: boolean | undefined;
  /**
   * Whose edit it is, where an engine serves several: what was encoded for one owner is found by no other, so that nobody's
   * time tells what another has edited.
   * @default ""
   */
  owner?: string | undefined;
  /**
   * Called after every step, after `onStep`, with what it takes to go on from there in another process: the bytes that
   * `encode()` gives serve as `resumeFrom`. They hold the forming image. The loop waits for the promise it returns: while
   * a network runs, this thread does nothing else. Not called by a model that cannot go on from a state.
   */
  onState?: ((state: OfferedState) => void | Promise<void>) | undefined;
  /**
   * A state of the same edit, seed included, on the same checkpoint: only the steps after it are taken, and of several
   * images those that were finished are not drawn again. On the same
   * build and kind of processor, the result has the bytes of an undisturbed run; otherwise a notice says that they may
   * differ. A state that cannot be used is ignored.
   */
  resumeFrom?: Uint8Array | undefined;
  /** Called once before the first step if `resumeFrom` is given, unless the model cannot go on from a state. */
  onResume?: ((outcome: ResumeOutcome) => void) | undefined;
  /** Score from which a result is flagged, 0 to 1. @default the engine's own */
  safetyThreshold?: number | undefined;
  /** Whether flagged results are returned, marked as such, instead of being refused. @default false */
  isFlaggedKept?: boolean | undefined;
  /**
   * How much error reused steps may make, in place of what `acceleration` and the calibration say: what a calibration is made
   * with. The result's `reuse` then says what came of it.
   */
  reuse?: ReuseBudget | undefined;
  /**
   * Its place in a group of edits that run together, where that is faster. The result has the same bytes.
   * @default it runs alone
   */
  group?: GroupPlace | undefined;
  /** An Ed25519 private key in PEM (PKCS #8), which signs the receipts of the results. @default they are not signed */
  receiptKey?: string | undefined;
}
