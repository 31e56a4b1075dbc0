/**
 * What the command remembers of its edits, if it is asked to: one line for each result in a file of the cache folder, which
 * only its user can read. Results themselves say nothing of it, so they can be given away. A file that cannot be written
 * or read costs the memory and no edit.
 */
import { appendFile, mkdir, open } from "node:fs/promises";
import path from "node:path";
import { writeFileAtomically } from "../files/write-atomically.ts";
import type { Instruction } from "../index.ts";

/** One result. */
export interface RememberedEdit extends Instruction {
  /** SHA-256 of the result's bytes, in hex. */
  result: string;
  /** The same of its picture; absent if it was drawn without one. */
  source?: string | undefined;
  /** Where the picture was: a path from the root, or a URL without a query. */
  place?: string | undefined;
  hasMask: boolean;
  numImages: number;
}

export interface History {
  /** The edits that led to a picture, the latest first; none if it is no result that is remembered. */
  chainOf(sha256: string): Promise<readonly RememberedEdit[]>;
  add(edits: readonly RememberedEdit[]): Promise<void>;
}

/** Beyond this, the older half is forgotten. */
export const MAX_HISTORY_BYTES = 1024 * 1024;
/** More instructions are longer than a prompt may be. */
const MAX_TURNS = 500;
const DIGEST = /^[0-9a-f]{64}$/;

/** @param file undefined remembers nothing */
export function createHistory(file: string | undefined): History {
  return {
    async chainOf(sha256) {
      if (file === undefined) return [];
      const byResult = new Map((await readLines(file)).map((line) => [line.result, line]));
      const chain: RememberedEdit[] = [];
      for (let digest: string | undefined = sha256; digest !== undefined;) {
        const edit = byResult.get(digest);
        // Two files cannot be made of each other; lines may say so all the same.
        if (edit === undefined || chain.includes(edit) || chain.length === MAX_TURNS) break;
        chain.push(edit);
        digest = edit.source;
      }
      return chain;
    },
    async add(edits) {
      if (file === undefined) return;
      const text = edits.map((edit) => `${JSON.stringify(edit)}\n`).join("");
      try {
        await mkdir(path.dirname(file), { recursive: true });
        // One write of one process: lines of others come before or after it.
        await appendFile(file, text, { mode: 0o600 });
        const all = await readText(file);
        if (all.length > MAX_HISTORY_BYTES) await writeFileAtomically(file, Buffer.from(newerHalf(all)));
      } catch {
        // Nothing is remembered.
      }
    },
  };
}

function newerHalf(text: Buffer): string {
  const newer = text.subarray(text.length - MAX_HISTORY_BYTES / 2).toString();
  return newer.slice(newer.indexOf("\n") + 1);
}

/** The end of the file, if somebody else made it longer than it may be. */
async function readText(file: string): Promise<Buffer> {
  const handle = await open(file, "r");
  try {
    const { size } = await handle.stat();
    const length = Math.min(size, 2 * MAX_HISTORY_BYTES);
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(length), 0, length, size - length);
    return buffer.subarray(0, bytesRead);
  } finally {
    await handle.close();
  }
}

async function readLines(file: string): Promise<RememberedEdit[]> {
  const text = await readText(file).catch(() => Buffer.alloc(0));
  return text.toString().split("\n").flatMap(readLine);
}

function readLine(line: string): RememberedEdit | [] {
  try {
    const edit = JSON.parse(line) as RememberedEdit;
    return isRemembered(edit) ? edit : [];
  } catch {
    return [];
  }
}

const isRemembered = ({
  result,
  source,
  place = "",
  prompt,
  prompt2 = "",
  hasMask,
  numImages,
}: RememberedEdit) =>
  DIGEST.test(result) &&
  (source === undefined || DIGEST.test(source)) &&
  [place, prompt, prompt2].every((text) => typeof text === "string") &&
  typeof hasMask === "boolean" &&
  Number.isInteger(numImages);
