/** Writes the latest of many values, one at a time: slow writes delay nobody and never pile up. */
export interface LatestWriter<Value> {
  /** Writes this value once the previous one is written, unless a newer one comes. */
  write(value: Value): void;
  /** Waits until nothing is left to be written. */
  done(): Promise<void>;
}

/**
 * @param publish must not reject
 * @param isKept of the few values that are written even if newer ones have come @default none
 */
export function createLatestWriter<Value>(
  publish: (value: Value) => Promise<void>,
  isKept: (value: Value) => boolean = () => false,
): LatestWriter<Value> {
  const waiting: Value[] = [];
  let writing: Promise<void> | undefined;
  async function drain(): Promise<void> {
    while (waiting.length > 0) await publish(waiting.shift()!);
    writing = undefined;
  }
  return {
    write(value) {
      if (waiting.length > 0 && !isKept(waiting.at(-1)!)) waiting.pop();
      waiting.push(value);
      writing ??= drain();
    },
    done: () => writing ?? Promise.resolve(),
  };
}
