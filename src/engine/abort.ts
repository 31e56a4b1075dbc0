/** Ends an edit that its caller no longer wants. */
import { RetouchError } from "../errors.ts";

/** @throws RetouchError ABORTED */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw abortError(signal);
}

export const abortError = (signal: AbortSignal): RetouchError =>
  new RetouchError("ABORTED", "The edit was cancelled.", { cause: signal.reason });
