/** Resolves names to IP addresses with the system's resolver, which knows the hosts file and container names. */
import { lookup as systemLookup, type LookupAddress } from "node:dns";

/** Resolves a name to all its addresses. */
export type Resolve = (hostname: string) => Promise<LookupAddress[]>;

/**
 * The system's resolver blocks one of four threads, which also read files: slow names that were chosen by somebody
 * outside must not take all of them.
 */
const MAX_AT_ONCE = 2;

/** @param lookup @default the system's resolver */
export function createResolve(lookup: Resolve = lookupAll): Resolve {
  const waiting: (() => void)[] = [];
  let running = 0;
  return async (hostname) => {
    if (running === MAX_AT_ONCE) await new Promise<void>((resolve) => waiting.push(resolve));
    else running += 1;
    try {
      return await lookup(hostname);
    } finally {
      // The slot goes straight to whoever has waited longest.
      const next = waiting.shift();
      if (next === undefined) running -= 1;
      else next();
    }
  };
}

function lookupAll(hostname: string): Promise<LookupAddress[]> {
  return new Promise((resolve, reject) => {
    systemLookup(hostname, { all: true }, (error, addresses) => (error ? reject(error) : resolve(addresses)));
  });
}
