/** Limits the concurrent calls of each API key. */
import type { Allowances } from "../jobs/allowances.ts";

export interface CallPlacesOptions {
  /** Which calls are counted together. */
  name: string;
  limit: number;
  /** Counts across all servers; without it, this server counts alone. */
  shared?: Pick<Allowances, "holdPlaces"> | undefined;
  /** Called when places could not be given back; that is tried again. */
  onError: (error: unknown) => void;
}

export interface CallPlaces {
  /** @returns a function that ends the call, to be called once, or undefined if there is no place */
  enter(keyId: string): Promise<(() => void) | undefined>;
  /** Gives places unused for a while back to the other servers; to be called about once a second. */
  giveBack(): Promise<void>;
}

interface Places {
  held: number;
  running: number;
  /** The most calls that ran at the same time, and since when that is counted. */
  peak: number;
  peakSince: number;
  /** No more places are requested before this time. */
  refusedUntil: number;
  /** One query at a time. */
  changing?: Promise<void> | undefined;
}

/** Share of a limit that a server takes at a time. */
const PORTION = 1 / 20;
/** How long places are kept after they were needed, unless there are few. */
const KEPT_MS = 10_000;
/** Refusals within this time cost no further query. */
const REFUSED_MS = 100;

export function createCallPlaces({ name, limit, shared, onError }: CallPlacesOptions): CallPlaces {
  const places = new Map<string, Places>();
  const portion = Math.max(1, Math.ceil(limit * PORTION));

  function placesOf(keyId: string): Places {
    const known = places.get(keyId);
    if (known) return known;
    const now = performance.now();
    const own = { held: shared ? 0 : limit, running: 0, peak: 0, peakSince: now, refusedUntil: now };
    places.set(keyId, own);
    return own;
  }

  function grow(own: Places, keyId: string): Promise<void> {
    const { held } = own;
    own.changing = shared!
      .holdPlaces(keyId, name, { held, wanted: held + portion, limit })
      .then((now) => {
        own.held = now;
        if (now <= held) own.refusedUntil = performance.now() + REFUSED_MS;
      })
      .finally(() => (own.changing = undefined));
    return own.changing;
  }

  async function enter(keyId: string): Promise<(() => void) | undefined> {
    for (;;) {
      const own = placesOf(keyId);
      if (own.running < own.held) {
        own.running += 1;
        own.peak = Math.max(own.peak, own.running);
        return () => leave(own, keyId);
      }
      if (shared === undefined || own.refusedUntil > performance.now()) return undefined;
      if (own.changing) await own.changing;
      else await grow(own, keyId);
    }
  }

  function leave(own: Places, keyId: string): void {
    own.running -= 1;
    if (shared === undefined) {
      if (own.running === 0) places.delete(keyId);
    } else if (portion === 1) {
      // If there are few places, another server may need this one at once.
      void shrink(own, keyId, own.running);
    }
  }

  async function shrink(own: Places, keyId: string, needed: number): Promise<void> {
    await own.changing?.catch(() => {});
    const target = (): number => Math.max(needed, own.running);
    if (own.held <= target()) return;
    // A call that enters during the query sees only what will be left.
    const held = own.held;
    own.held = target();
    own.changing = shared!
      .holdPlaces(keyId, name, { held, wanted: own.held, limit })
      .then(() => {
        if (own.held === 0 && own.running === 0) places.delete(keyId);
      })
      .catch((error: unknown) => {
        own.held = held;
        onError(error);
      })
      .finally(() => (own.changing = undefined));
    await own.changing;
  }

  return {
    enter,
    async giveBack() {
      if (shared === undefined) return;
      for (const [keyId, own] of places) {
        if (performance.now() - own.peakSince < KEPT_MS) continue;
        await shrink(own, keyId, own.peak);
        own.peak = own.running;
        own.peakSince = performance.now();
      }
    },
  };
}
