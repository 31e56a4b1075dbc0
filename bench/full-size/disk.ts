/** Whether weights fit on a disk, before they are written. */
import { statfs } from "node:fs/promises";

/** Free space that must be left on the disk after writing. */
const SPARE_BYTES = 2 ** 30;

/** @throws Error with a sentence for the user if fewer than `wanted` bytes and some to spare are free */
export async function checkDisk(
  folder: string,
  wanted: number,
  freeBytes: (folder: string) => Promise<number> = freeBytesOf,
): Promise<void> {
  const [free, needed] = [await freeBytes(folder), wanted + SPARE_BYTES];
  if (free >= needed) return;
  const gigabytes = (bytes: number): string => `${(bytes / 1e9).toFixed(1)} GB`;
  throw new Error(
    `${folder} has ${gigabytes(free)} free and ${gigabytes(needed)} are needed; --folder names another place.`,
  );
}

async function freeBytesOf(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize;
}
