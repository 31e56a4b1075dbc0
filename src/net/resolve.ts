/** Resolves names to IP addresses with the system's resolver, which knows the hosts file and container names. */
import { lookup as systemLookup, type LookupAddress } from "node:dns";

/** Who asks for an address. */
export interface Asker {
  /** Names asked for on behalf of one lane delay those of no other. @default "" */
  lane?: string | undefined;
  /** A name that is asked for by nobody any more is not looked up. */
  signal?: AbortSignal | undefined;
}

/** Resolves a name to all its addresses. @throws the signal's reason, if it aborts before the name is looked up */
export type Resolve = (hostname: string, asker?: Asker) => Promise<LookupAddress[]>;

/**
 * The system's resolver blocks one of four threads, which also read files: slow names that were chosen by somebody
 * outside must not take all of them, and those of one lane not both.
 */
const MAX_AT_ONCE = 2;
const MAX_OF_LANE = 1;

interface Waiting {
  lane: string;
  start(): void;
}

/** @param lookup @default the system's resolver */
export function createResolve(lookup: (hostname: string) => Promise<LookupAddress[]> = lookupAll): Resolve {
  const waiting = new Set<Waiting>();
  const running = new Map<string, number>();
  let total = 0;
  const isFree = (lane: string): boolean =>
    total < MAX_AT_ONCE && (running.get(lane) ?? 0) < (lane === "" ? MAX_AT_ONCE : MAX_OF_LANE);

  function enter(lane: string): void {
    total += 1;
    running.set(lane, (running.get(lane) ?? 0) + 1);
  }

  function leave(lane: string): void {
    total -= 1;
    const left = running.get(lane)! - 1;
    if (left === 0) running.delete(lane);
    else running.set(lane, left);
    for (const next of waiting) if (isFree(next.lane)) next.start();
  }

  /** Waits for a place; whoever has waited longest in its lane comes first. */
  function place(lane: string, signal: AbortSignal | undefined): Promise<void> {
    if (isFree(lane)) return Promise.resolve(enter(lane));
    return new Promise((resolve, reject) => {
      const own: Waiting = {
        lane,
        start() {
          end();
          enter(lane);
          resolve();
        },
      };
      const giveUp = (): void => {
        end();
        reject(signal!.reason as Error);
      };
      const end = (): void => {
        waiting.delete(own);
        signal?.removeEventListener("abort", giveUp);
      };
      waiting.add(own);
      signal?.addEventListener("abort", giveUp, { once: true });
    });
  }

  return async (hostname, { lane = "", signal } = {}) => {
    signal?.throwIfAborted();
    await place(lane, signal);
    try {
      return await lookup(hostname);
    } finally {
      leave(lane);
    }
  };
}

function lookupAll(hostname: string): Promise<LookupAddress[]> {
  return new Promise((resolve, reject) => {
    systemLookup(hostname, { all: true }, (error, addresses) => (error ? reject(error) : resolve(addresses)));
  });
}
