/** The edits of an engine, one after the other. */
import { RetouchError } from "../errors.ts";
import { unlessAborted } from "./abort.ts";

export interface Turns {
  /** Runs `work` once all before it have ended. @throws RetouchError ABORTED once closed, or by `signal` while it waits */
  take<Result>(signal: AbortSignal | undefined, work: () => Promise<Result>): Promise<Result>;
  /** Lets all that wait end, runs `work` once, and refuses whatever comes later. */
  close(work: () => Promise<void>): Promise<void>;
}

export function createTurns(): Turns {
  let last: Promise<unknown> = Promise.resolve();
  let closing: Promise<void> | undefined;
  return {
    take(signal, work) {
      if (closing) return Promise.reject(new RetouchError("ABORTED", "The engine is closed."));
      const turn = unlessAborted(last, signal).then(work);
      // Wait for both: an edit that stops waiting ends before the one ahead of it. Drop results, which would pile up.
      last = Promise.allSettled([last, turn]).then(() => undefined);
      return turn;
    },
    close: (work) => (closing ??= last.then(work)),
  };
}
