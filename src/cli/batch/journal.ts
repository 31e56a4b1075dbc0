/**
 * The journal of an output folder: which edits there are, with which seed, and how far each has come. Every record is on
 * disk before what it announces happens, so that a process that is killed at any moment loses no result, and the next
 * one makes none twice.
 *
 * It is a file of JSON lines that only grows. A line that was being written when the process ended is cut off.
 */
import { type FileHandle, open } from "node:fs/promises";
import path from "node:path";
import { messageOf, RetouchError } from "../../errors.ts";
import { makeFolder, syncFolder } from "../../files/write-once.ts";
import { LIMITS } from "./limits.ts";
import { checkOutputName, JOURNAL_FOLDER } from "./output-name.ts";

/** What is known of an edit's result. */
export interface ResultRecord {
  /** SHA-256 of the file. */
  sha256: string;
  width: number;
  height: number;
  seconds: number;
}

export type JournalRecord =
  /** A batch has begun here: the summary is its own. */
  | { event: "begun" }
  /** It will be made with this seed, under this name. */
  | { event: "planned"; key: string; output: string; seed: number }
  /** Its staged file is on disk. */
  | ({ event: "made"; key: string } & ResultRecord)
  /** It has its name. */
  | { event: "done"; key: string };

/** An edit as the journal has it. */
export interface KnownEdit {
  output: string;
  seed: number;
  /** Set from when it was made. */
  result?: ResultRecord | undefined;
  isDone: boolean;
}

export interface Journal {
  /** By key. */
  readonly edits: ReadonlyMap<string, KnownEdit>;
  /** Whether it had records when it was opened. */
  readonly isBegun: boolean;
  /** Returns when the records are on disk. @throws RetouchError OUTPUT_UNWRITABLE */
  append(records: readonly JournalRecord[]): Promise<void>;
  close(): Promise<void>;
}

const NAME = "journal.jsonl";
const NEWLINE = 0x0a;

/** The path of an output folder's journal. */
export const journalFile = (folder: string): string => path.join(folder, JOURNAL_FOLDER, NAME);

/**
 * Opens the journal of an output folder, or begins it.
 * @throws RetouchError OUTPUT_UNWRITABLE, also for a file that is no journal of this version
 */
export async function openJournal(folder: string): Promise<Journal> {
  const file = journalFile(folder);
  let handle: FileHandle | undefined;
  try {
    await makeFolder(path.dirname(file));
    handle = await open(file, "a+");
    const edits = new Map<string, KnownEdit>();
    const end = readRecords(await readWhole(handle), edits);
    await handle.truncate(end);
    await handle.sync();
    await syncFolder(path.dirname(file));
    return journalOn(handle, file, edits, end > 0);
  } catch (cause) {
    await handle?.close();
    throw unusable(file, cause);
  }
}

/** Reads what a journal has, and changes nothing; empty if there is none. @throws as {@link openJournal} */
export async function readJournal(folder: string): Promise<ReadonlyMap<string, KnownEdit>> {
  const file = journalFile(folder);
  const edits = new Map<string, KnownEdit>();
  try {
    const handle = await open(file, "r");
    try {
      readRecords(await readWhole(handle), edits);
    } finally {
      await handle.close();
    }
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== "ENOENT") throw unusable(file, cause);
  }
  return edits;
}

function journalOn(
  handle: FileHandle,
  file: string,
  edits: Map<string, KnownEdit>,
  isBegun: boolean,
): Journal {
  return {
    edits,
    isBegun,
    async append(records) {
      const text = records.map((record) => `${JSON.stringify(record)}\n`).join("");
      try {
        await handle.appendFile(text);
        await handle.datasync();
      } catch (cause) {
        throw unusable(file, cause);
      }
      for (const record of records) note(edits, record);
    },
    close: () => handle.close(),
  };
}

async function readWhole(handle: FileHandle): Promise<Buffer> {
  const found = await handle.stat();
  if (!found.isFile() || found.size > LIMITS.journalBytes)
    throw new Error("it is not a journal of this program");
  const bytes = Buffer.alloc(found.size);
  let done = 0;
  while (done < bytes.length) {
    const { bytesRead } = await handle.read(bytes, done, bytes.length - done, done);
    if (bytesRead === 0) break;
    done += bytesRead;
  }
  return bytes.subarray(0, done);
}

/** @returns how many bytes hold whole records */
function readRecords(bytes: Buffer, edits: Map<string, KnownEdit>): number {
  let start = 0;
  for (let line = 1; ; line += 1) {
    const end = bytes.indexOf(NEWLINE, start);
    if (end === -1) return start;
    const record = parseRecord(bytes.toString("utf8", start, end));
    if (record === undefined || !note(edits, record)) {
      // After a power cut the last line may have its length and not its bytes.
      if (bytes.indexOf(NEWLINE, end + 1) === -1) return start;
      throw new Error(`line ${line} is not a record of this version`);
    }
    start = end + 1;
  }
}

/** @returns whether the record fits those before it */
function note(edits: Map<string, KnownEdit>, record: JournalRecord): boolean {
  if (record.event === "begun") return true;
  if (record.event === "planned") {
    const { key, output, seed } = record;
    edits.set(key, { output, seed, isDone: false });
    return true;
  }
  const known = edits.get(record.key);
  if (known === undefined) return false;
  if (record.event === "done") known.isDone = true;
  else {
    const { sha256, width, height, seconds } = record;
    known.result = { sha256, width, height, seconds };
    known.isDone = false;
  }
  return true;
}

function parseRecord(text: string): JournalRecord | undefined {
  try {
    const given = JSON.parse(text) as Record<string, unknown>;
    const { event, key, output, seed, sha256 } = given;
    if (event === "begun") return { event };
    if (typeof key !== "string" || !/^[0-9a-f]{64}$/.test(key)) return undefined;
    if (event === "done") return { event, key };
    if (event === "planned") {
      return isCount(seed) ? { event, key, output: checkOutputName(output), seed } : undefined;
    }
    const { width, height, seconds } = given;
    if (event !== "made" || typeof sha256 !== "string" || ![width, height].every(isCount)) return undefined;
    if (typeof seconds !== "number") return undefined;
    return { event, key, sha256, width: Number(width), height: Number(height), seconds };
  } catch {
    return undefined;
  }
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 0;

function unusable(file: string, cause: unknown): RetouchError {
  if (cause instanceof RetouchError) return cause;
  return new RetouchError("OUTPUT_UNWRITABLE", `The journal ${file} cannot be used: ${messageOf(cause)}.`, {
    cause,
  });
}
