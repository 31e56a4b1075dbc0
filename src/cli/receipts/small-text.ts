/** Short texts that the user names: receipts and keys. */
import { createReadStream } from "node:fs";
import { messageOf, RetouchError } from "../../index.ts";
import { connectionFailure } from "../../net/failures.ts";
import { readSmallText } from "../../net/small-text.ts";
import { oneLine } from "../report.ts";

const MAX_BYTES = 4 * 65_536;

/**
 * Reads a file, or what an http(s) URL answers with.
 * @param what begins the sentence of a failure, such as "The key"
 * @throws RetouchError RECEIPT_INVALID, ABORTED
 */
export async function readText(what: string, place: string, signal: AbortSignal): Promise<string> {
  const isUrl = /^https?:/i.test(place);
  try {
    return isUrl ? await readSmallText(new URL(place), MAX_BYTES, signal) : await readFile(place, signal);
  } catch (cause) {
    if (signal.aborted) throw new RetouchError("ABORTED", "Reading was aborted.", { cause });
    const reason = isUrl && isOfSystem(cause) ? connectionFailure(cause) : messageOf(cause);
    const sentence = `${what} ${oneLine(place.slice(0, 300))} cannot be read: ${oneLine(reason)}.`;
    throw new RetouchError("RECEIPT_INVALID", sentence, { cause });
  }
}

const isOfSystem = (error: unknown): boolean => (error as NodeJS.ErrnoException).code !== undefined;

async function readFile(file: string, signal: AbortSignal): Promise<string> {
  const parts: Buffer[] = [];
  // One byte more tells that there is more.
  for await (const part of createReadStream(file, { end: MAX_BYTES, signal })) parts.push(part as Buffer);
  const bytes = Buffer.concat(parts);
  if (bytes.length > MAX_BYTES) throw new Error(`it has more than ${MAX_BYTES} bytes`);
  return bytes.toString("utf8");
}
