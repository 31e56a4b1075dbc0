/** SHA-256 of bytes, or of a text as UTF-8, in hex. */
import { createHash, type Hash } from "node:crypto";
import { setImmediate as nextTurn } from "node:timers/promises";

export const sha256 = (content: string | Uint8Array): string =>
  createHash("sha256").update(content).digest("hex");

export const sha256Bytes = (content: string | Uint8Array): Buffer =>
  createHash("sha256").update(content).digest();

/** A hash takes 0.6 ms for them. */
const TURN_BYTES = 2 ** 20;

/**
 * Adds bytes to a hash, and lets the event loop turn after each mebibyte: a thread that answers others hashes megabytes so.
 * `crypto.subtle` would hash beside the thread, but copies all bytes on it first, which takes half as long.
 */
export async function addInTurns(hash: Hash, content: Uint8Array): Promise<void> {
  for (let start = 0; start < content.byteLength; start += TURN_BYTES) {
    if (start > 0) await nextTurn();
    hash.update(content.subarray(start, start + TURN_BYTES));
  }
}

/** {@link sha256} in turns. The bytes must not change meanwhile. */
export async function sha256InTurns(content: Uint8Array): Promise<string> {
  const hash = createHash("sha256");
  await addInTurns(hash, content);
  return hash.digest("hex");
}
