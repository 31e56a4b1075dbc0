/** Calls of each API key in a window that begins with its first call. */
import type { Allowances } from "../jobs/allowances.ts";

export interface CallRateOptions {
  /** Which calls are counted together. */
  name: string;
  windowMs: number;
  /** Calls in a window; may change while one is on. */
  limit: () => number;
  /** Counts over all servers; without it, this one counts for itself. */
  shared?: Pick<Allowances, "takeCalls"> | undefined;
}

export interface CallRate {
  /** Counts a call. @returns undefined, or where there were too many the limit and the milliseconds to wait */
  count(keyId: string): Promise<{ limit: number; waitMs: number } | undefined>;
}

interface Window {
  endsAt: number;
  /** Calls that may be made by this server, and those that were. */
  taken: number;
  used: number;
  /** The limit at which there were none left. */
  exhaustedAt: number;
  taking?: Promise<void> | undefined;
}

/** A server takes so large a part of a limit at a time: it can keep no more than that from the others. */
const PORTION = 1 / 20;

export function createCallRate({ name, windowMs, limit, shared }: CallRateOptions): CallRate {
  const windows = new Map<string, Window>();

  function windowOf(keyId: string): Window {
    const known = windows.get(keyId);
    if (known && known.endsAt > performance.now()) return known;
    const window = { endsAt: performance.now() + windowMs, taken: 0, used: 0, exhaustedAt: 0 };
    windows.set(keyId, window);
    return window;
  }

  async function take(window: Window, keyId: string): Promise<void> {
    const max = limit();
    if (shared === undefined) {
      if (window.taken >= max) window.exhaustedAt = max;
      window.taken = Math.max(window.taken, max);
      return;
    }
    const wanted = Math.max(1, Math.ceil(max * PORTION));
    const { granted, endsInMs } = await shared.takeCalls(keyId, name, { wanted, limit: max, windowMs });
    // By the database's clock: all servers begin and end it together.
    window.endsAt = performance.now() + endsInMs;
    window.taken += granted;
    if (granted === 0) window.exhaustedAt = max;
  }

  return {
    async count(keyId) {
      for (;;) {
        const window = windowOf(keyId);
        if (window.used < window.taken) {
          // Counted and compared in one turn: calls that come together each have a number of their own.
          window.used += 1;
          return undefined;
        }
        // What is refused costs no query each.
        if (limit() <= window.exhaustedAt) {
          return { limit: limit(), waitMs: Math.max(0, window.endsAt - performance.now()) };
        }
        window.taking ??= take(window, keyId).finally(() => (window.taking = undefined));
        await window.taking;
      }
    },
  };
}
