/** Opening of weight files, of whichever format. */
import { type FileHandle, open } from "node:fs/promises";
import { type Failure, failure, RetouchError } from "../errors.ts";

/**
 * Opens a weights file for as long as `read` takes.
 * @param read is given the file's size in bytes
 * @throws RetouchError CHECKPOINT_MISSING, or CHECKPOINT_INVALID for a folder; what `read` throws
 */
export async function withWeightsFile<Result>(
  file: string,
  read: (handle: FileHandle, size: number) => Promise<Result>,
): Promise<Result> {
  const handle = await open(file, "r").catch((cause: unknown) => {
    throw new RetouchError("CHECKPOINT_MISSING", faultOf(file, "cannot be opened"), { cause });
  });
  try {
    const stats = await handle.stat();
    if (stats.isDirectory()) throw new RetouchError("CHECKPOINT_INVALID", faultOf(file, "is a folder"));
    return await read(handle, stats.size);
  } finally {
    await handle.close();
  }
}

/** What is wrong with a weights file; a LoRA's file has the same faults under another name. */
export const faultOf = (file: string, fault: string): Failure =>
  failure("file", { what: "weights file", file, fault });

export const damaged = (file: string, detail: string, cause?: unknown): RetouchError =>
  new RetouchError("CHECKPOINT_INVALID", faultOf(file, `is damaged: ${detail}`), { cause });
