/**
 * Lets one process work at a time where two would do the same work twice or write into each other's unfinished files.
 * The lock is a file that its owner touches every second, so one left behind by a killed process expires within
 * seconds. A process that finds the lock waits, and then finds the work done.
 */
import { mkdir, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const BEAT_MS = 1000;
const STALE_MS = 5 * BEAT_MS;
const POLL_MS = 500;

export interface LockOptions {
  /** Ends the wait. */
  signal?: AbortSignal | undefined;
  /** The error that is thrown when the wait is aborted. */
  aborted: () => Error;
  /** Called once, if the lock is held by a process that is still working. */
  onWait?: (() => void) | undefined;
}

/** Holds the file `lock` while it works; creates its folder if missing. */
export async function withLock<Result>(
  lock: string,
  { signal, aborted, onWait }: LockOptions,
  work: () => Promise<Result>,
): Promise<Result> {
  await mkdir(path.dirname(lock), { recursive: true });
  for (let tries = 0; !(await take(lock)); tries += 1) {
    if (await clearStale(lock)) continue;
    // By now, a killed owner's lock would have expired.
    if (tries * POLL_MS === 2 * STALE_MS) onWait?.();
    await sleep(POLL_MS, undefined, signal && { signal }).catch(() => {
      throw aborted();
    });
  }
  const beat = setInterval(() => {
    const now = new Date();
    utimes(lock, now, now).catch(() => {});
  }, BEAT_MS);
  try {
    return await work();
  } finally {
    clearInterval(beat);
    await rm(lock, { force: true });
  }
}

async function take(lock: string): Promise<boolean> {
  try {
    await writeFile(lock, String(process.pid), { flag: "wx" });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

/** Removes an abandoned lock. Renames it first: another process could take it between the check and the removal. */
async function clearStale(lock: string): Promise<boolean> {
  if (!(await isStale(lock))) return false;
  const aside = `${lock}.${process.pid}`;
  try {
    await rename(lock, aside);
  } catch {
    return true;
  }
  if (await isStale(aside)) await rm(aside, { force: true });
  else await rename(aside, lock);
  return true;
}

async function isStale(lock: string): Promise<boolean> {
  const found = await stat(lock).catch(() => undefined);
  return found !== undefined && Date.now() - found.mtimeMs > STALE_MS;
}
