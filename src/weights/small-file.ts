/** Reads those files of a checkpoint that are read whole: configurations, indices, vocabularies. */
import { open, stat } from "node:fs/promises";
import { RetouchError } from "../errors.ts";
import { MAX_TEXT_FILE_BYTES } from "./limits.ts";

/**
 * All bytes of a file.
 * @throws RetouchError CHECKPOINT_MISSING if there is no such file, CHECKPOINT_INVALID if it exceeds `maxBytes`
 */
export async function readSmallFile(file: string, maxBytes = MAX_TEXT_FILE_BYTES): Promise<Buffer> {
  const unreadable = (cause?: unknown): RetouchError =>
    new RetouchError("CHECKPOINT_MISSING", `The checkpoint file ${file} cannot be read.`, { cause });
  const found = await stat(file).catch((cause: unknown) => Promise.reject(unreadable(cause)));
  // A device or a pipe never ends, or blocks whoever opens it.
  if (!found.isFile()) throw unreadable();
  const handle = await open(file).catch((cause: unknown) => Promise.reject(unreadable(cause)));
  try {
    const { size } = await handle.stat();
    if (size > maxBytes) {
      throw new RetouchError(
        "CHECKPOINT_INVALID",
        `The checkpoint file ${file} has ${size} bytes; at most ${maxBytes} are read.`,
      );
    }
    return await handle.readFile().catch((cause: unknown) => Promise.reject(unreadable(cause)));
  } finally {
    await handle.close();
  }
}
