/**
 * Keeps the state of an edit that takes long, between its steps: stored whole under a new key, then reported, so that the
 * job's row never names what is not there. Keeping costs at most a fiftieth of the time, and never fails an edit. Of several
 * results, each finished one is kept however quick it was: that is one more write beside its file. It is not
 * done beside the steps: while a network runs, nothing else does on this thread, and each stage of a write would wait for
 * a step.
 */
import type { OfferedState } from "../engine/edit-states.ts";
import { messageOf } from "../errors.ts";
import type { KeptState } from "../jobs/job.ts";
import { createKey, type Storage } from "../storage/storage.ts";

export interface StateKeeper {
  /**
   * Keeps the state, unless the edit is short, the last one was kept just before, or is still being stored; one with a
   * result more is kept now or with a later step. Returns when it is kept, or after a second or more if the storage is slow.
   */
  offer(state: OfferedState): Promise<void>;
  /** To be called when the edit has ended, however: nothing is reported from then on. */
  end(): void;
}

export interface StateKeeperOptions {
  storage: Pick<Storage, "put" | "delete">;
  /** Edits that are expected to take less time, in milliseconds, are not kept; 0 keeps all, Infinity none. */
  afterMs: number;
  /** Once it aborts, every step's state is kept: the worker is about to end. */
  stopping?: AbortSignal | undefined;
  onKept: (state: KeptState) => void;
  /** Called with what went wrong; a later step tries again. */
  onError: (sentence: string) => void;
}

/** How many times longer an edit must have taken than its steps waited for states: 1 %, and as much for slower ones. */
const SHARE = 100;
/** After a failure, which may have been quick. */
const RETRY_MS = 5000;
/** The longest that steps wait for the storage: a hundredth of the edit within these bounds. */
const [LEAST_WAIT_MS, MOST_WAIT_MS] = [1000, 5000];

export function createStateKeeper(options: StateKeeperOptions): StateKeeper {
  const { storage, afterMs, stopping, onKept, onError } = options;
  const started = performance.now();
  let retryAt = -Infinity;
  let waitedMs = 0;
  let numSteps = 0;
  let isBusy = false;
  /** Whether there is a finished result that no kept state has. */
  let isOwed = false;
  let isEnded = false;

  async function keep({ step, encode }: OfferedState): Promise<void> {
    const hasOwed = isOwed;
    isOwed = false;
    const key = createKey("states", "bin");
    try {
      const bytes = await encode();
      await storage.put(key, bytes);
      if (isEnded) await storage.delete(key);
      else onKept({ key, step, bytes: bytes.byteLength });
    } catch (error) {
      retryAt = performance.now() + RETRY_MS;
      isOwed ||= hasOwed;
      // The sweeper finds what was stored all the same.
      if (!isEnded) onError(messageOf(error));
    }
  }

  /** Milliseconds that this run will have taken in all, if its other steps take as long as those so far. */
  const expectedMs = ({ step, of, seconds }: OfferedState): number =>
    performance.now() - started + ((of - step) * seconds * 1000) / numSteps;

  return {
    async offer(state) {
      numSteps += 1;
      isOwed ||= state.isImageFinished;
      if (isBusy || isEnded || afterMs === Infinity) return;
      const wholeMs = expectedMs(state);
      if (wholeMs < afterMs && !isOwed) return;
      const from = performance.now();
      const isTooSoon = from < retryAt || (from - started < SHARE * waitedMs && !isOwed);
      if (isTooSoon && stopping?.aborted !== true) return;
      isBusy = true;
      const keeping = keep(state).finally(() => {
        isBusy = false;
      });
      let timer: NodeJS.Timeout | undefined;
      const limit = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, Math.min(MOST_WAIT_MS, Math.max(LEAST_WAIT_MS, wholeMs / SHARE)));
      });
      await Promise.race([keeping, limit]);
      clearTimeout(timer);
      waitedMs += performance.now() - from;
    },
    end() {
      isEnded = true;
    },
  };
}
