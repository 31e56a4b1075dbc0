/** Whether our own storage works. */
import { answerWithin } from "./answer-within.ts";

/**
 * Knows whether our own storage works. It is away from a failure on until a check passes or something is stored
 * or read again; meanwhile it is checked, ever more seldom.
 */
export interface StorageWatch {
  readonly isAway: boolean;
  /** Something could not be stored or read because the storage is away. */
  failed(error: unknown): void;
  /** Something could not be stored or read: a check says whether the storage is away, or only that object. */
  suspect(): void;
  /** Something was stored or read. */
  worked(): void;
  /** Starts a check, and does not wait for it, if it is not known how the storage was within the last `maxAgeMs`. */
  look(maxAgeMs: number): void;
  stop(): void;
}

export interface StorageWatchOptions {
  check: () => Promise<void>;
  /** Called once for each time that it is away. */
  onAway: (error: unknown) => void;
  onBack: () => void;
}

const MIN_PAUSE_MS = 1000;
const MAX_PAUSE_MS = 30_000;
/** A storage that answers nothing is away as well. */
const CHECK_TIMEOUT_MS = 20_000;

export function createStorageWatch({ check, onAway, onBack }: StorageWatchOptions): StorageWatch {
  let isAway = false;
  let isStopped = false;
  let pauseMs = 0;
  let seenAt = performance.now();
  let backAt = -Infinity;
  let timer: NodeJS.Timeout | undefined;
  let checking: Promise<void> | undefined;

  function begin(error: unknown, leastPauseMs = 0): void {
    if (!isAway) {
      isAway = true;
      // A check may pass while all else fails: only a time without failures, or a success, makes the pauses short again.
      if (performance.now() - backAt > MAX_PAUSE_MS) pauseMs = 0;
      onAway(error);
    }
    if (timer === undefined && checking === undefined && !isStopped) {
      pauseMs = Math.max(pauseMs, leastPauseMs);
      timer = setTimeout(run, pauseMs);
      pauseMs = Math.min(Math.max(MIN_PAUSE_MS, 2 * pauseMs), MAX_PAUSE_MS);
    }
  }

  function end(): void {
    seenAt = performance.now();
    clearTimeout(timer);
    timer = undefined;
    if (!isAway) return;
    isAway = false;
    backAt = seenAt;
    onBack();
  }

  function run(): void {
    clearTimeout(timer);
    timer = undefined;
    const startedAt = performance.now();
    checking ??= answerWithin(CHECK_TIMEOUT_MS, check())
      .then(
        () => end,
        // Something that worked meanwhile is newer than a check that failed.
        (error: unknown) => () => (seenAt > startedAt ? undefined : begin(error, MIN_PAUSE_MS)),
      )
      .then((settle) => {
        checking = undefined;
        if (!isStopped) settle();
      });
  }

  return {
    get isAway() {
      return isAway;
    },
    failed: (error) => begin(error),
    suspect() {
      if (!isAway && !isStopped) run();
    },
    worked() {
      pauseMs = 0;
      end();
    },
    look(maxAgeMs) {
      if (!isAway && !isStopped && performance.now() - seenAt > maxAgeMs) run();
    },
    stop() {
      isStopped = true;
      clearTimeout(timer);
    },
  };
}
