/**
 * Guards the disk space that the operator wants to keep free: requests refused for lack of it leave
 * everything else working.
 */
import { RetouchError } from "../errors.ts";
import { freeBytes } from "../files/free-bytes.ts";

export interface FreeSpace {
  /**
   * Checks that `bytes` more leave enough space.
   * @throws RetouchError DISK_FULL
   */
  admit(bytes: number): Promise<void>;
}

export interface FreeSpaceOptions {
  /** A folder on the disk in question. */
  folder: string;
  /** 0 turns the check off. */
  minFreeBytes: number;
  /** Bytes that this user may still write to the disk of a folder. @default what the system reports */
  read?: ((folder: string) => Promise<number>) | undefined;
}

const FRESH_MS = 1000;

export function createFreeSpace({ folder, minFreeBytes, read = freeBytes }: FreeSpaceOptions): FreeSpace {
  let readAt = -Infinity;
  let latest: Promise<{ free: number }> | undefined;

  function look(): Promise<{ free: number }> {
    if (latest === undefined || performance.now() - readAt > FRESH_MS) {
      readAt = performance.now();
      // A system that cannot tell refuses nobody; if nothing can be written, the write itself fails.
      latest = read(folder).then(
        (free) => ({ free }),
        () => ({ free: Infinity }),
      );
    }
    return latest;
  }

  return {
    async admit(bytes) {
      if (minFreeBytes === 0) return;
      const seen = await look();
      if (seen.free - bytes < minFreeBytes) {
        throw new RetouchError("DISK_FULL", "The disk of this server is nearly full; try again later.");
      }
      // Read once a second, and a burst comes faster.
      seen.free -= bytes;
    },
  };
}
