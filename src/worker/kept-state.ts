/** Reads the state that an earlier attempt left. What cannot be read costs the steps that it holds, and never the job. */
import { messageOf } from "../errors.ts";
import type { KeptState } from "../jobs/job.ts";
import type { Storage } from "../storage/storage.ts";
import { throwIfAborted } from "./failures.ts";
import { untilAborted } from "./until-aborted.ts";

/**
 * @returns its bytes, or why there are none, as it continues "its state ..."
 * @throws RetouchError ABORTED by `signal`
 */
export async function readState(
  storage: Pick<Storage, "get">,
  { key }: KeptState,
  signal: AbortSignal,
): Promise<Uint8Array | string> {
  try {
    const stored = await untilAborted(storage.get(key), signal);
    throwIfAborted(signal);
    return stored?.bytes ?? "is no longer there";
  } catch (error) {
    throwIfAborted(signal);
    return `cannot be read (${messageOf(error)})`;
  }
}
