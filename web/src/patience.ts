/** Waits for a server that is away: longer each time, up to some seconds. */

const FIRST_MS = 1000;
const MAX_MS = 5000;
const GROWTH = 1.5;

export interface Patience {
  wait(): Promise<void>;
  /** The server has answered: the next wait is short again. */
  restore(): void;
}

export function createPatience(): Patience {
  let nextMs = FIRST_MS;
  return {
    async wait() {
      await new Promise((resolve) => setTimeout(resolve, nextMs));
      nextMs = Math.min(MAX_MS, nextMs * GROWTH);
    },
    restore() {
      nextMs = FIRST_MS;
    },
  };
}
