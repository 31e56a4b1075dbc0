/** Deletes what is no longer needed: results whose URLs have expired, and what no job can need. */
import { setTimeout as delay } from "node:timers/promises";
import type { ObjectKind, Storage } from "./storage.ts";

export interface Sweeper {
  /**
   * Deletes what is due now, or waits for a sweep under way; never rejects.
   * @returns how many objects were deleted
   */
  run(): Promise<number>;
  /** Sweeps now and from then on. May be called more than once. */
  start(): void;
  /** Stops after the current object, waiting for it unless the storage hangs. May be called repeatedly. */
  stop(): Promise<void>;
}

export interface SweeperOptions {
  storage: Storage;
  /** Lifetime of results. */
  lifetimeMs: number;
  /** Finds which of these objects are still needed, whatever their files' times say. */
  findNeeded: (keys: readonly string[]) => Promise<ReadonlySet<string>>;
  /** Lifetime of what belongs to no job, left by submissions and edits that a crash cut short. @default 1 day */
  inputLifetimeMs?: number | undefined;
  /** Lifetime of states that no job knows, left by workers that ended while they stored them. @default 1 hour */
  stateLifetimeMs?: number | undefined;
  /** @default 600,000 */
  intervalMs?: number | undefined;
  /** Whether clocks can be trusted now; if not, nothing is deleted until a later sweep. @default always */
  mayDelete?: (() => boolean) | undefined;
  /** Called with what could not be listed or deleted; the next sweep tries again. */
  onError: (error: unknown) => void;
  /**
   * The time by which files are old. @default the time by which the storage stamps them: this machine's clock may be
   * another one, and wrong by more than a day
   */
  now?: (() => number) | undefined;
}

const INTERVAL_MS = 10 * 60_000;
const STOP_MS = 5000;
/** Far longer than a submission takes from storing its image to creating its job. */
const INPUT_LIFETIME_MS = 24 * 60 * 60_000;
/** Far longer than a worker takes from storing a state to writing that it is there. */
const STATE_LIFETIME_MS = 60 * 60_000;
const BATCH = 100;
/** A URL may have been signed somewhat later than its file was written, and by another clock. */
const MARGIN_MS = 60_000;

/** Several servers may sweep the same storage: deleting twice does no harm. */
export function createSweeper(options: SweeperOptions): Sweeper {
  const { storage, lifetimeMs, findNeeded, onError, mayDelete = () => true } = options;
  const { inputLifetimeMs = INPUT_LIFETIME_MS, intervalMs = INTERVAL_MS } = options;
  const { stateLifetimeMs = STATE_LIFETIME_MS } = options;
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<number> | undefined;
  let isStopped = false;

  async function readNow(): Promise<number> {
    if (options.now) return options.now();
    // A full disk takes no file to tell the time by, and needs its old ones deleted all the same.
    return storage.readClock().then((time) => time.getTime(), Date.now);
  }

  async function sweep(kind: ObjectKind, nowMs: number, olderThanMs: number): Promise<number> {
    const limit = nowMs - olderThanMs - MARGIN_MS;
    let count = 0;
    let old: string[] = [];
    try {
      for await (const { key, modifiedAt } of storage.list(kind)) {
        if (isStopped) break;
        if (modifiedAt.getTime() < limit) old.push(key);
        if (old.length < BATCH) continue;
        count += await removeAll(old);
        old = [];
      }
      count += await removeAll(old);
    } catch (error) {
      onError(error);
    }
    return count;
  }

  async function removeAll(keys: readonly string[]): Promise<number> {
    if (keys.length === 0 || !mayDelete()) return 0;
    const needed = await findNeeded(keys);
    let count = 0;
    for (const key of keys) {
      if (isStopped) break;
      if (!needed.has(key) && (await remove(key))) count += 1;
    }
    return count;
  }

  /** An object that cannot be deleted does not stop the deletion of others. */
  async function remove(key: string): Promise<boolean> {
    try {
      await storage.delete(key);
      return true;
    } catch (error) {
      onError(error);
      return false;
    }
  }

  async function sweepAll(): Promise<number> {
    const nowMs = await readNow();
    return (
      (await sweep("outputs", nowMs, lifetimeMs)) +
      (await sweep("inputs", nowMs, inputLifetimeMs)) +
      (await sweep("inline", nowMs, inputLifetimeMs)) +
      (await sweep("states", nowMs, stateLifetimeMs))
    );
  }
  const run = (): Promise<number> => (running ??= sweepAll().finally(() => (running = undefined)));

  return {
    run() {
      isStopped = false;
      return run();
    },
    start() {
      if (timer !== undefined) return;
      isStopped = false;
      timer = setInterval(() => void run(), intervalMs);
      void run();
    },
    async stop() {
      clearInterval(timer);
      timer = undefined;
      isStopped = true;
      await Promise.race([running, delay(STOP_MS, undefined, { ref: false })]);
    },
  };
}
