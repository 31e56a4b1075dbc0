/**
 * Our own storage inside the engine process: every operation ends within a time, and a check stores as much as what
 * last found no room.
 */
import { failure } from "../errors.ts";
import type { Storage } from "../storage/storage.ts";
import { answerWithin } from "../storage/answer-within.ts";
import { aborted, AttemptFailure, ownStorage, throwIfAborted, traceOf } from "./failures.ts";
import { untilAborted } from "./until-aborted.ts";

export type OwnStorage = Pick<Storage, "get" | "put" | "delete" | "check">;

/** Somewhat longer than the S3 client takes for all its tries; a file system over a network may hang for ever. */
const TIMEOUT_MS = 100_000;
const CHECK_TIMEOUT_MS = 15_000;
/** A source that takes longer may be one of a storage that answers nothing: a check knows sooner. */
const SLOW_READ_MS = 10_000;
const MIN_PAUSE_MS = 1000;
const MAX_PAUSE_MS = 30_000;
/** Failures while checks pass, before the object itself is blamed. */
const MAX_READS = 4;
const READ_PAUSE_MS = 250;

export function createOwnStorage(storage: Storage): OwnStorage {
  let refusedBytes = 1;
  return {
    get: (key) => answerWithin(TIMEOUT_MS, storage.get(key)),
    async put(key, bytes) {
      try {
        await answerWithin(TIMEOUT_MS, storage.put(key, bytes));
        refusedBytes = 1;
      } catch (error) {
        refusedBytes = Math.max(1, bytes.byteLength);
        throw error;
      }
    },
    delete: (key) => answerWithin(TIMEOUT_MS, storage.delete(key)),
    check: () => answerWithin(CHECK_TIMEOUT_MS, storage.check(refusedBytes)),
  };
}

/**
 * Reads a source. If only this one cannot be read, the attempt fails and not the worker.
 * @returns undefined if it is not there, or if `signal` aborts
 * @throws RetouchError STORAGE_UNAVAILABLE; AttemptFailure
 */
export async function readOwn(
  storage: Pick<OwnStorage, "get" | "check">,
  key: string,
  { field, signal }: { field: "image" | "mask"; signal: AbortSignal },
): Promise<Uint8Array | undefined> {
  const unread = failure("about", { field, sentence: "the image cannot be read at the moment." });
  const check = (): Promise<void | undefined> =>
    ownStorage(unread, () => untilAborted(storage.check(), signal));
  for (let reads = 1; !signal.aborted; reads += 1) {
    const reading = storage.get(key);
    if (await isSlow(reading, signal)) await check();
    try {
      return (await untilAborted(reading, signal))?.bytes;
    } catch (cause) {
      await check();
      if (reads === MAX_READS)
        throw new AttemptFailure(`${field}: the image cannot be read at the moment.`, { cause });
    }
    await pause(READ_PAUSE_MS * 2 ** reads, signal);
  }
  return undefined;
}

/**
 * Stores a result, however long that takes.
 * @param options.onWaiting called after each try that failed, with its error for the log
 * @throws RetouchError ABORTED by `signal`, then nothing is left stored
 */
export async function keepOwn(
  storage: Pick<OwnStorage, "put" | "delete">,
  key: string,
  bytes: Uint8Array,
  { signal, onWaiting }: { signal: AbortSignal; onWaiting: (detail: string) => void },
): Promise<void> {
  throwIfAborted(signal);
  for (let pauseMs = MIN_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, MAX_PAUSE_MS)) {
    const put = storage.put(key, bytes);
    const isStored = await untilAborted(put, signal).then(
      () => true,
      (error: unknown) => {
        onWaiting(traceOf(error));
        return false;
      },
    );
    if (!isStored) await pause(pauseMs, signal);
    if (signal.aborted) {
      // Nobody will ever ask for it. The deletion is not waited for; the sweeper finds what it misses.
      const remove = (): Promise<void> => storage.delete(key).catch(() => {});
      void put.then(remove, remove);
      throw aborted(signal);
    }
    if (isStored) return;
  }
}

/** Whether it has not ended after some time; how it ends is left to others. */
async function isSlow(work: Promise<unknown>, signal: AbortSignal): Promise<boolean> {
  const ended = new AbortController();
  const end = (): void => ended.abort();
  work.then(end, end);
  await pause(SLOW_READ_MS, AbortSignal.any([signal, ended.signal]));
  return !ended.signal.aborted && !signal.aborted;
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  await untilAborted(new Promise((resolve) => (timer = setTimeout(resolve, ms))), signal);
  clearTimeout(timer);
}
