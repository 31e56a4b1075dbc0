/** Limits the calls of each API key in a window that begins with its first call. */
import type { Allowances } from "../jobs/allowances.ts";

export interface CallRateOptions {
  /** Which calls are counted together. */
  name: string;
  windowMs: number;
  /** Calls per window; may change during a window. */
  limit: () => number;
  /** Counts across all servers; without it, this server counts alone. */
  shared?: Pick<Allowances, "takeCalls"> | undefined;
}

export interface CallRate {
  /** Counts a call. @returns undefined, or after too many calls the limit and the milliseconds to wait */
  count(keyId: string): Promise<{ limit: number; waitMs: number } | undefined>;
}

interface Window {
  endsAt: number;
  /** Calls that this server may make, and those it has made. */
  taken: number;
  used: number;
  /** The limit at which no calls were left. */
  exhaustedAt: number;
  taking?: Promise<void> | undefined;
}

/** Share of a limit that a server takes at a time: it can withhold no more than that from the others. */
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
    // The database's clock decides: all servers begin and end the window together.
    window.endsAt = performance.now() + endsInMs;
    window.taken += granted;
    if (granted === 0) window.exhaustedAt = max;
  }

  return {
    async count(keyId) {
      for (;;) {
        const window = windowOf(keyId);
        if (window.used < window.taken) {
          // Counted and compared in one turn, so that simultaneous calls each get their own number.
          window.used += 1;
          return undefined;
        }
        // A refused call costs no query.
        if (limit() <= window.exhaustedAt) {
          return { limit: limit(), waitMs: Math.max(0, window.endsAt - performance.now()) };
        }
        window.taking ??= take(window, keyId).finally(() => (window.taking = undefined));
        await window.taking;
      }
    },
  };
}
