/**
 * Compares the database's clock with this process's monotonic one. Both go on at the same pace unless a clock was
 * set, this machine slept, or one of them could not be read for a time.
 */

export interface Reading {
  /** The database's clock, milliseconds of the epoch, read at some moment between the other two. */
  databaseMs: number;
  /** When it was asked and when it answered, by `performance.now()`. */
  askedAt: number;
  answeredAt: number;
}

export interface Change {
  /** How long the database had not answered before, milliseconds. */
  gapMs: number;
  /** How far its clock was set in between, milliseconds: forward, or back if negative. Never more than it was. */
  stepMs: number;
}

/** @returns a function that takes each reading, and says what changed since the one before, if there was one */
export function createStepWatch(): (reading: Reading) => Change | undefined {
  let previous: Reading | undefined;
  return (reading) => {
    const before = previous;
    previous = reading;
    if (before === undefined) return undefined;
    // An answer may have been given at any moment of its waiting time, so the difference of the clocks is known
    // within bounds: a slow answer is no step.
    const [low, high] = boundsOf(reading);
    const [lowBefore, highBefore] = boundsOf(before);
    return {
      gapMs: reading.answeredAt - before.answeredAt,
      stepMs: Math.max(0, low - highBefore) + Math.min(0, high - lowBefore),
    };
  };
}

const boundsOf = ({ databaseMs, askedAt, answeredAt }: Reading): [number, number] => [
  databaseMs - answeredAt,
  databaseMs - askedAt,
];
