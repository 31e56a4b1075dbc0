/** Waits for news without missing any: the watch begins before the first look. */
import type { Events, Topic } from "./events.ts";

export interface Watch {
  /**
   * Waits for news since the last call, the time limit, or the signal.
   * @returns whether there is time left
   */
  next(): Promise<boolean>;
  close(): void;
}

/** Watches a job's news of the given topics for at most `waitMs`. */
export function watchJob(
  events: Events,
  jobId: string,
  options: { topics: readonly Topic[]; waitMs: number; signal?: AbortSignal | undefined },
): Watch {
  let hasNews = false;
  let isOver = options.signal?.aborted === true || options.waitMs <= 0;
  let wake = (): void => {};
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
      if (!hasNews && !isOver) await new Promise<void>((resolve) => (wake = resolve));
      hasNews = false;
      return !isOver;
    },
    close() {
      for (const stop of stops) stop();
      clearTimeout(timer);
      options.signal?.removeEventListener("abort", end);
    },
  };
}
