/**
 * PGlite on a folder, with what PostgreSQL needs to keep its promises: every commit is on the disk before it is
 * answered, and a failure that PostgreSQL does not survive is noticed. Used in the thread of `embedded-thread.ts`.
 */
import { readdirSync, statSync } from "node:fs";
import path from "node:path";
import { PGlite } from "@electric-sql/pglite";
import { messageOf } from "../errors.ts";
import { DurableFiles } from "./durable-files.ts";

export interface Cluster {
  /**
   * Does what `bytes` of PostgreSQL's protocol ask for.
   * @returns the answer
   */
  execute(bytes: Uint8Array): Promise<Uint8Array<ArrayBuffer>>;
  /** Runs one statement without parameters. */
  query<Row>(text: string): Promise<Row[]>;
  /** Bytes that were written to its files so far. */
  readonly written: number;
  close(): Promise<void>;
}

export interface ClusterOptions {
  folder: string;
  /**
   * Called once PostgreSQL cannot go on: a panic, or a lack of memory. PGlite would carry on behind it and answer
   * what never happened, so this must not return.
   */
  onPanic: (reason: string) => never;
  /** Makes the folder's cluster, in segments of 1 MB. */
  isNew?: boolean | undefined;
}

const MEGABYTE = 2 ** 20;
/** How PGlite leaves its main loop for a statement that failed. Everything else that leaves it is the end. */
const LONGJMP = 100;
const SEGMENT = /^[0-9A-F]{24}$/;

/** PostgreSQL's buffers, in megabytes. The system caches the same files, so few are as fast as many. */
const SHARED_BUFFERS = 16;

/** @throws the engine's error if the folder is damaged */
export async function openCluster({ folder, onPanic, isNew = false }: ClusterOptions): Promise<Cluster> {
  const fs = new DurableFiles(folder);
  let complaint = "";
  const database = await PGlite.create({
    dataDir: folder,
    fs,
    startParams: [...startParams(), ...settings(folder).flatMap((setting) => ["-c", setting])],
    // Segments of 1 MB instead of 16: at least two are kept.
    ...(isNew && { initDbStartParams: ["--wal-segsize=1"] }),
    onStderr: (text: string) => {
      if (/\b(PANIC|FATAL):/.test(text)) complaint ||= text.replace(/^.*?(PANIC|FATAL):\s*/s, "").trim();
      return false;
    },
  }).catch((error: unknown) => {
    throw new Error(complaint || messageOf(error), { cause: error });
  });
  const engine = database.Module as unknown as Record<
    "_PostgresMainLoopOnce" | "_PostgresMainLongJmp",
    () => void
  >;
  const { _PostgresMainLoopOnce: loop, _PostgresMainLongJmp: recover } = engine;
  const guarded = (work: () => void, isExpected: (error: unknown) => boolean) => (): void => {
    try {
      work();
    } catch (error) {
      if (!isExpected(error)) onPanic(complaint || messageOf(error));
      throw error;
    }
  };
  engine._PostgresMainLoopOnce = guarded(loop, (error) => (error as { status?: number }).status === LONGJMP);
  engine._PostgresMainLongJmp = guarded(recover, () => false);
  return {
    async execute(bytes) {
      const chunks: Uint8Array[] = [];
      // The call that returns the answer would also keep all answers, parsed.
      await database.execProtocolRawStream(bytes, {
        syncToFs: false,
        // PostgreSQL writes on in this memory.
        onRawData: (chunk) => void chunks.push(chunk.slice()),
      });
      return chunks.length === 1 ? (chunks[0] as Uint8Array<ArrayBuffer>) : joined(chunks);
    },
    async query<Row>(text: string) {
      const results = await database.exec(text);
      return (results.at(-1)?.rows ?? []) as Row[];
    },
    get written() {
      return fs.written;
    },
    close: () => database.close(),
  };
}

/** PGlite's own parameters without the one that turns syncing off. */
const startParams = (): string[] => PGlite.defaultStartParams.filter((parameter) => parameter !== "-F");

function settings(folder: string): string[] {
  const segment = segmentSize(folder);
  return [
    "fsync=on",
    // Of the two calls that PGlite has, the one that DurableFiles hears of.
    "wal_sync_method=fsync",
    `shared_buffers=${SHARED_BUFFERS}MB`,
    // Nothing but `upkeep.ts` checkpoints: these only say how many segments are kept for reuse.
    `min_wal_size=${Math.max(4, (2 * segment) / MEGABYTE)}MB`,
    `max_wal_size=${Math.max(16, (2 * segment) / MEGABYTE)}MB`,
  ];
}

/** @returns bytes of a WAL segment of this folder's cluster, or of a new one */
function segmentSize(folder: string): number {
  const wal = path.join(folder, "pg_wal");
  try {
    const name = readdirSync(wal).find((entry) => SEGMENT.test(entry));
    return name === undefined ? MEGABYTE : statSync(path.join(wal, name)).size;
  } catch {
    return MEGABYTE;
  }
}

function joined(chunks: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(chunks.reduce((sum, { length }) => sum + length, 0));
  let offset = 0;
  for (const chunk of chunks) {
    all.set(chunk, offset);
    offset += chunk.length;
  }
  return all;
}
