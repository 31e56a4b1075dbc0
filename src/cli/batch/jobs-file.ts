/** Reads a file of edits, one JSON object a line (https://jsonlines.org), within limits. */
import { createReadStream } from "node:fs";
import { messageOf, RetouchError } from "../../errors.ts";
import { LIMITS } from "./limits.ts";

/** A line that is not empty; `text` is absent if it cannot be read. */
export interface JobsLine {
  /** From 1. */
  line: number;
  text?: string | undefined;
  /** Why there is no text: continues "Line 3". */
  fault?: string | undefined;
}

const NEWLINE = 0x0a;

/**
 * Reads all lines but empty ones.
 * @throws RetouchError INVALID_PARAMETER if the file cannot be read, or has too many bytes or lines
 */
export async function readJobsFile(file: string): Promise<JobsLine[]> {
  const bytes = await readWithin(file);
  const lines: JobsLine[] = [];
  for (let [start, line] = [0, 1]; start < bytes.length; line += 1) {
    const newline = bytes.indexOf(NEWLINE, start);
    const end = newline === -1 ? bytes.length : newline;
    const one = lineOf(bytes.subarray(start, end), line);
    if (one.fault !== undefined || one.text!.trim() !== "") lines.push(one);
    if (lines.length > LIMITS.edits) {
      throw refused(file, `has more than ${LIMITS.edits.toLocaleString("en")} lines`);
    }
    start = end + 1;
  }
  return lines;
}

function lineOf(bytes: Uint8Array, line: number): JobsLine {
  if (bytes.length > LIMITS.lineBytes) {
    return {
      line,
      fault: `has ${bytes.length.toLocaleString("en")} bytes; at most ${LIMITS.lineBytes.toLocaleString("en")} are accepted`,
    };
  }
  try {
    // The mark that some editors put at the start of a file is left out.
    return { line, text: new TextDecoder("utf-8", { fatal: true, ignoreBOM: line > 1 }).decode(bytes) };
  } catch {
    return { line, fault: "is not UTF-8" };
  }
}

async function readWithin(file: string): Promise<Buffer> {
  const parts: Buffer[] = [];
  let count = 0;
  try {
    for await (const part of createReadStream(file) as AsyncIterable<Buffer>) {
      count += part.length;
      if (count > LIMITS.fileBytes) {
        throw refused(file, `is larger than the limit of ${LIMITS.fileBytes / 2 ** 20} MiB`);
      }
      parts.push(part);
    }
  } catch (cause) {
    if (cause instanceof RetouchError) throw cause;
    throw refused(file, `cannot be read: ${reasonOf(cause)}`, cause);
  }
  return Buffer.concat(parts, count);
}

const refused = (file: string, sentence: string, cause?: unknown): RetouchError =>
  new RetouchError("INVALID_PARAMETER", `${file} ${sentence}.`, { cause });

function reasonOf(cause: unknown): string {
  const { code } = cause as NodeJS.ErrnoException;
  if (code === "ENOENT") return "there is no such file";
  if (code === "EISDIR") return "it is a folder";
  if (code === "EACCES") return "permission is denied";
  return messageOf(cause);
}
