/** Room on the disk that the operator wants to keep: what is refused for lack of it leaves everything else working. */
import { statfs } from "node:fs/promises";
import { RetouchError } from "../errors.ts";

export interface FreeSpace {
  /**
   * Looks whether `bytes` more leave room enough.
   * @throws RetouchError DISK_FULL
   */
  admit(bytes: number): Promise<void>;
}

export interface FreeSpaceOptions {
  /** On the disk in question. */
  folder: string;
  /** 0 asks for nothing. */
  minFreeBytes: number;
  /** Bytes that this user may still write to the disk of a folder. @default what the system says */
  read?: ((folder: string) => Promise<number>) | undefined;
}

const FRESH_MS = 1000;

export function createFreeSpace({ folder, minFreeBytes, read = readFree }: FreeSpaceOptions): FreeSpace {
  let readAt = -Infinity;
  let latest: Promise<{ free: number }> | undefined;

  function look(): Promise<{ free: number }> {
    if (latest === undefined || performance.now() - readAt > FRESH_MS) {
      readAt = performance.now();
      // A system that cannot say refuses nobody; where nothing can be written, the write itself says so.
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
      // Looked up once a second, and a burst comes faster.
      seen.free -= bytes;
    },
  };
}

async function readFree(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize;
}
