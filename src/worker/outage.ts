/** Logs once that something is away and once that it is back: workers query a database many times per second. */
import type { Log } from "../log.ts";

export interface Outage {
  /** Passes the work's result on, and notes whether the database answered. @throws what the work throws */
  watch<Result>(work: () => Promise<Result>): Promise<Result>;
}

export function createOutage(log: Log): Outage {
  let isAway = false;
  return {
    async watch(work) {
      try {
        const result = await work();
        if (isAway) log.info("The database answers again.");
        isAway = false;
        return result;
      } catch (error) {
        if (!isAway) log.warn({ err: error }, "The database does not answer.");
        isAway = true;
        throw error;
      }
    },
  };
}
