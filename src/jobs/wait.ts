/**
 * Waits for news without missing any: the watch begins before the first look. News that got lost, such as by a
 * connection that had fallen silent, only comes some seconds late.
 */
import { RetouchError } from "../errors.ts";
import type { Events, Topic } from "./events.ts";

export interface Watch {
  /**
   * Waits for news since the last call, some seconds without any, the time limit, or the signal.
   * @returns whether there is time left
   */
  next(): Promise<boolean>;
  close(): void;
}

/** The longest time without a look. */
const LOOK_AGAIN_MS = 5000;

/** Watches a job's news of the given topics for at most `waitMs`. */
export function watchJob(
  events: Events,
  jobId: string,
  options: { topics: readonly Topic[]; waitMs: number; signal?: AbortSignal | undefined },
): Watch {
  let hasNews = false;
  let isOver = options.signal?.aborted === true || options.waitMs <= 0;
  let wake = (): void => {};
  let look: NodeJS.Timeout | undefined;
  const hear = (): void => {
    hasNews = true;
    wake();
  };
  const end = (): void => {
    isOver = true;
    wake();
  };
  const stops = options.topics.map((topic) => events.on(topic, jobId, hear));
  const timer = setTimeout(end, Math.max(0, options.waitMs));
  options.signal?.addEventListener("abort", end, { once: true });
  return {
    async next() {
      if (!hasNews && !isOver) {
        await new Promise<void>((resolve) => {
          wake = resolve;
          look = setTimeout(resolve, LOOK_AGAIN_MS);
        });
        clearTimeout(look);
      }
      hasNews = false;
      return !isOver;
    },
    close() {
      for (const stop of stops) stop();
      clearTimeout(timer);
      clearTimeout(look);
      options.signal?.removeEventListener("abort", end);
    },
  };
}

/**
 * Looks until what is waited for is there, or there is no time left. A look after the first may fail while the
 * database is away: a call that waits anyway is not ended by what passes by itself.
 * @param look gets whether it is the first one
 * @param known what the caller knows already: then any look may fail, the first and the last ones too
 * @returns what the last look found, or what is known if that failed
 * @throws what the first or the last look throws
 */
export async function lookUntil<Found>(
  watch: Watch,
  look: (isFirst: boolean) => Promise<{ isDone: boolean; found: Found }>,
  known?: Found,
): Promise<Found> {
  for (let isFirst = true, isTimeLeft = true; ; isFirst = false) {
    try {
      const { isDone, found } = await look(isFirst);
      if (isDone || !isTimeLeft) return found;
      if (known !== undefined) known = found ?? known;
    } catch (error) {
      if (!isPassing(error) || (known === undefined && (isFirst || !isTimeLeft))) throw error;
      if (known !== undefined && !isTimeLeft) return known;
    }
    isTimeLeft = await watch.next();
  }
}

const isPassing = (error: unknown): boolean =>
  error instanceof RetouchError &&
  (error.code === "DATABASE_UNAVAILABLE" || error.code === "COMMIT_UNDECIDED");
