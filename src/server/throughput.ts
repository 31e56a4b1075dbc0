/** Whether bytes come through fast enough on average: a fast transfer may pause, but not for long. */

export interface ThroughputOptions {
  leastBytesPerSecond: number;
  /** Longest pause in milliseconds, whatever came before. */
  maxPauseMs: number;
}

export interface Throughput {
  /**
   * Checks one transfer.
   * @param bytes that have come through since some fixed moment
   * @param now milliseconds of a clock that never goes back
   */
  isSlow(bytes: number, now: number): boolean;
  /** Leaves out `ms` milliseconds during which this process did not run. */
  skip(ms: number): void;
}

/** Begins measuring: the first bytes may take as long as a pause. */
export function measureThroughput(
  { leastBytesPerSecond, maxPauseMs }: ThroughputOptions,
  start: { bytes: number; now: number },
): Throughput {
  let bytesBefore = start.bytes;
  let deadline = start.now + maxPauseMs;
  return {
    isSlow(bytes, now) {
      const earnedMs = ((bytes - bytesBefore) / leastBytesPerSecond) * 1000;
      deadline = Math.min(deadline + earnedMs, now + maxPauseMs);
      bytesBefore = bytes;
      return now >= deadline;
    },
    skip: (ms) => void (deadline += ms),
  };
}
