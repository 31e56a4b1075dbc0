/** Writes the latest of many values, one at a time: slow writes delay nobody and never pile up. */
export interface LatestWriter<Value> {
  /** Writes this value once the previous one is written, unless a newer one comes. */
  write(value: Value): void;
  /** Waits until nothing is left to be written. */
  done(): Promise<void>;
}

/** @param publish must not reject */
export function createLatestWriter<Value>(publish: (value: Value) => Promise<void>): LatestWriter<Value> {
  let latest: { value: Value } | undefined;
  let writing: Promise<void> | undefined;
  async function drain(): Promise<void> {
    while (latest !== undefined) {
      const { value } = latest;
      latest = undefined;
      await publish(value);
    }
    writing = undefined;
  }
  return {
    write(value) {
      latest = { value };
      writing ??= drain();
    },
    done: () => writing ?? Promise.resolve(),
  };
}
