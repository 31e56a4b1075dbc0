/** Reads the state that an earlier attempt left. What cannot be read costs the steps that it holds, and never the job. */
import type { KeptState } from "../jobs/job.ts";
import { AttemptFailure, throwIfAborted } from "./failures.ts";
import { type OwnStorage, readOwn } from "./own-storage.ts";

/**
 * @returns its bytes, or why there are none, as it continues "its state ..."
 * @throws RetouchError STORAGE_UNAVAILABLE if our storage is away, for then the job is given back with its state; ABORTED by
 * `signal`
 */
export async function readState(
  storage: Pick<OwnStorage, "get" | "check">,
  { key }: KeptState,
  signal: AbortSignal,
): Promise<Uint8Array | string> {
  try {
    const bytes = await readOwn(storage, key, { field: "image", signal });
    throwIfAborted(signal);
    return bytes ?? "is no longer there";
  } catch (error) {
    if (error instanceof AttemptFailure) return "cannot be read";
    throw error;
  }
}
