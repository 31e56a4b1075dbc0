/** The server's own view of the storage: whether it works, said once in the log and asked by `/readyz`. */
import type { Log } from "../log.ts";
import type { Storage } from "../storage/storage.ts";
import { createStorageWatch, type StorageWatch } from "../storage/watch.ts";

export interface WatchedStorage {
  /** The same storage; whatever fails or works in it is noticed. */
  storage: Storage;
  watch: StorageWatch;
}

/** An image that takes longer may be one of a storage that answers nothing. */
const SLOW_MS = 10_000;

export function watchStorage(inner: Storage, log: Log): WatchedStorage {
  const watch = createStorageWatch({
    check: () => inner.check(),
    onAway: (error) => log.warn({ err: error }, "The storage does not work."),
    onBack: () => log.info("The storage works again."),
  });
  const noticing = async <Result>(work: Promise<Result>): Promise<Result> => {
    const slow = setTimeout(watch.suspect, SLOW_MS);
    try {
      const result = await work;
      watch.worked();
      return result;
    } catch (error) {
      watch.suspect();
      throw error;
    } finally {
      clearTimeout(slow);
    }
  };
  const storage: Storage = {
    ...inner,
    put: (key, bytes) => noticing(inner.put(key, bytes)),
    get: (key) => noticing(inner.get(key)),
  };
  return { storage, watch };
}
