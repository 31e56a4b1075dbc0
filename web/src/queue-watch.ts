/** A waiting job's place in the queue, asked for again and again until it starts. */
import type { Api } from "./api.ts";
import { showSeconds } from "./seconds.ts";

export interface Waiting {
  /** Jobs that run before it. */
  numAhead: number;
  /** Until it starts; unknown at first. */
  seconds: number | undefined;
}

const LOOK_MS = 2000;

/** @param onWaiting called whenever the job still waits */
export function watchPlace(api: Api, id: string, onWaiting: (waiting: Waiting) => void): { stop(): void } {
  let timer: ReturnType<typeof setTimeout> | undefined = setTimeout(() => void look(), LOOK_MS / 4);

  async function look(): Promise<void> {
    // Following the job tells of a server that is away; this only says less then.
    const place = await api.place(id).catch(() => undefined);
    if (timer === undefined || (place !== undefined && place.status !== "IN_QUEUE")) return;
    if (place) {
      const { jobs_ahead: numAhead, wait_ms: ms } = place;
      onWaiting({ numAhead, seconds: ms === undefined ? undefined : ms / 1000 });
    }
    timer = setTimeout(() => void look(), LOOK_MS);
  }

  return {
    stop() {
      clearTimeout(timer);
      timer = undefined;
    },
  };
}

/** The same in a sentence. */
export function sayWaiting({ numAhead, seconds }: Waiting): string {
  const before = numAhead === 0 ? "Next in the queue" : `Waiting, ${numAhead} before it`;
  return seconds === undefined || seconds < 1 ? before : `${before}, about ${showSeconds(seconds)}`;
}
