/** Bytes of an open file, from one place to another: the system may read or write fewer at once than it was asked for. */
import type { FileHandle } from "node:fs/promises";

/** Fills `bytes` with what stands at `position`. @returns whether the file is so long */
export async function readRange(handle: FileHandle, bytes: Uint8Array, position: number): Promise<boolean> {
  for (let done = 0; done < bytes.length;) {
    const { bytesRead } = await handle.read(bytes, done, bytes.length - done, position + done);
    if (bytesRead === 0) return false;
    done += bytesRead;
  }
  return true;
}

/** Writes all of `bytes` at `position`. */
export async function writeRange(handle: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    const { bytesWritten } = await handle.write(bytes, done, bytes.length - done, position + done);
    done += bytesWritten;
  }
}
