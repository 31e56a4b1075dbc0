/** Whether bytes come through as quickly as they must: over whole windows, so that a pause does no harm. */

export interface Throughput {
  /**
   * Looks at one transfer.
   * @param bytes that have come through since any fixed moment
   * @param now milliseconds of a clock that never goes back
   * @returns whether a window has ended with less than the least
   */
  isSlow(bytes: number, now: number): boolean;
  /** So many milliseconds do not count: this process did not run. */
  skip(ms: number): void;
}

/** Begins to measure: the first window starts now. */
export function measureThroughput(
  { leastBytesPerSecond, windowMs }: { leastBytesPerSecond: number; windowMs: number },
  start: { bytes: number; now: number },
): Throughput {
  const leastBytes = (leastBytesPerSecond * windowMs) / 1000;
  let { bytes: bytesBefore, now: startedAt } = start;
  return {
    isSlow(bytes, now) {
      if (now - startedAt < windowMs) return false;
      const isSlow = bytes - bytesBefore < leastBytes;
      bytesBefore = bytes;
      startedAt = now;
      return isSlow;
    },
    skip: (ms) => void (startedAt += ms),
  };
}
