import { within } from "../within.ts";

/** Gives up waiting for a storage after `ms`. @throws Error for the log, and what the work throws */
export const answerWithin = <Result>(ms: number, work: Promise<Result>): Promise<Result> =>
  within(ms, work, () => new Error(`The storage did not answer in ${ms / 1000} seconds.`));
