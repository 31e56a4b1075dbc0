/**
 * The embedded database's files, written so that they outlast a power cut. PGlite's own file system leaves `fsync`
 * out, and its `fdatasync` does nothing, so PostgreSQL's care for the order of its writes reaches no disk; with
 * `fsync` here and the settings of `cluster.ts`, what PostgreSQL syncs is synced.
 */
import fs from "node:fs";
import type { PGlite, postgresMod } from "@electric-sql/pglite";
import { NodeFS } from "@electric-sql/pglite/nodefs";
import { isUnable } from "./folder-sync.ts";

/** What is used here of Emscripten's file system over Node's; its types leave it out. */
interface NodeFiles {
  stream_ops: {
    fsync?: (stream: OpenFile) => number;
    write(stream: OpenFile, ...rest: unknown[]): number;
  };
}
interface OpenFile {
  /** Node's file descriptor. */
  nfd: number;
  node: { mode: number };
}
type PostgresMod = postgresMod.PostgresMod;

/** Emscripten's number for an error of the device, which ends PostgreSQL if it concerns the WAL. */
const EIO = 29;

export class DurableFiles extends NodeFS {
  /** Bytes that were written so far, for deciding when upkeep is due. */
  written = 0;

  override async init(
    database: PGlite,
    options: Partial<PostgresMod>,
  ): Promise<{ emscriptenOpts: Partial<PostgresMod> }> {
    const { emscriptenOpts } = await super.init(database, options);
    const preRun = (module: PostgresMod): void => {
      const operations = (module as unknown as { NODEFS: NodeFiles }).NODEFS.stream_ops;
      const { write } = operations;
      operations.write = (stream, ...rest) => {
        const count = write(stream, ...rest);
        this.written += count;
        return count;
      };
      operations.fsync = (stream) => {
        try {
          sync(stream.nfd, module.FS.isDir(stream.node.mode));
          return 0;
        } catch {
          throw new module.FS.ErrnoError(EIO);
        }
      };
    };
    return { emscriptenOpts: { ...emscriptenOpts, preRun: [...(emscriptenOpts.preRun ?? []), preRun] } };
  }
}

function sync(descriptor: number, isFolder: boolean): void {
  // The times of a file need no sync of their own; its size is part of both.
  if (!isFolder) return fs.fdatasyncSync(descriptor);
  try {
    fs.fsyncSync(descriptor);
  } catch (error) {
    if (!isUnable(error)) throw error;
  }
}
