/** How much may still be written to a disk. */
import { statfs } from "node:fs/promises";
import path from "node:path";
import { systemErrorCode } from "./system-error.ts";

/** Bytes that this user may still write to the disk of a folder. */
export async function freeBytes(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize;
}

/** The same of a folder that may be yet to be made, on the disk of what is there of its path. */
export async function freeBytesFor(folder: string): Promise<number> {
  const whole = path.resolve(folder);
  try {
    return await freeBytes(whole);
  } catch (error) {
    const above = path.dirname(whole);
    if (above === whole || systemErrorCode(error) !== "ENOENT") throw error;
    return freeBytesFor(above);
  }
}
