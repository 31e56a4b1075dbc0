/** Ends an edit that its caller no longer wants. */
import { RetouchError } from "../errors.ts";

/** @throws RetouchError ABORTED */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw abortError(signal);
}

export const abortError = (signal: AbortSignal): RetouchError =>
  new RetouchError("ABORTED", "The edit was cancelled.", { cause: signal.reason });

/** Waits for `previous`; `signal` ends the wait with the code ABORTED. */
export function unlessAborted(previous: Promise<unknown>, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(abortError(signal!));
    if (signal?.aborted) abort();
    signal?.addEventListener("abort", abort, { once: true });
    void previous.then(() => {
      signal?.removeEventListener("abort", abort);
      resolve();
    });
  });
}
