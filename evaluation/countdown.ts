/** Says now and then how far a long run is and when it ends. */
import { duration } from "../src/cli/progress.ts";

const INTERVAL_MS = 10_000;

export interface Countdown {
  /** A task of this cost is done. */
  done(part: string, cost: number): void;
}

/** @param totalCost of what is still to do */
export function createCountdown(
  totalCost: number,
  say: (sentence: string) => void,
  now: () => number = () => performance.now(),
): Countdown {
  const started = now();
  let doneCost = 0;
  let said = started;
  return {
    done(part, cost) {
      doneCost += cost;
      const time = now();
      if (time - said < INTERVAL_MS) return;
      said = time;
      const left = ((time - started) / 1000 / doneCost) * (totalCost - doneCost);
      say(`${part}: ${Math.floor((100 * doneCost) / totalCost)} % done, ${duration(left)} left`);
    },
  };
}
