/** Storage in a folder: one file per object, in folders that only this user can enter. */
import { mkdir, opendir, readFile, rm, stat } from "node:fs/promises";
import path from "node:path";
import { getSystemErrorMap } from "node:util";
import { failure, RetouchError } from "../errors.ts";
import { writeFileAtomically } from "../files/write-atomically.ts";
import { ifMissing, systemErrorCode } from "../files/system-error.ts";
import {
  checkKey,
  contentTypeOf,
  createKey,
  isKey,
  OBJECT_KINDS,
  type ObjectKind,
  type Storage,
} from "./storage.ts";

/** How `writeFileAtomically` names a file until it is complete. */
const LEFTOVER = /^\.retouch-[0-9a-f]+\.tmp$/;
/** No write takes this long: an older file was left behind by a process that ended in the middle. */
const LEFTOVER_AGE_MS = 60 * 60_000;

/** @param folder is created, with its parents, by `prepare` alone */
export function createLocalStorage(folder: string): Storage {
  const fileOf = (key: string): string => {
    checkKey(key);
    return path.join(folder, key);
  };
  /** Without its folder, a missing file says nothing: the disk may not be mounted. @throws ENOENT */
  const seeFolder = (key: string): Promise<unknown> => stat(path.join(folder, path.dirname(key)));

  async function write(key: string, bytes: Uint8Array): Promise<void> {
    const file = fileOf(key);
    // The write would make a folder of its own.
    await seeFolder(key);
    await writeFileAtomically(file, bytes);
  }

  async function read(key: string): Promise<Uint8Array | undefined> {
    const file = fileOf(key);
    try {
      return await readFile(file);
    } catch (error) {
      if (systemErrorCode(error) !== "ENOENT") throw error;
      await seeFolder(key);
    }
    // Once more, for a disk that came back between the two looks.
    return readFile(file).catch(ifMissing);
  }

  async function probe(kind: ObjectKind, bytes: number): Promise<void> {
    const key = createKey(kind, "bin");
    try {
      await write(key, new Uint8Array(bytes));
      if ((await read(key))?.byteLength !== bytes) throw new Error("What was written is not there.");
    } finally {
      await rm(fileOf(key), { force: true }).catch(() => {});
    }
    await removeLeftovers(kind);
  }

  async function removeLeftovers(kind: ObjectKind): Promise<void> {
    const limit = Date.now() - LEFTOVER_AGE_MS;
    for await (const { name } of await opendir(path.join(folder, kind))) {
      if (!LEFTOVER.test(name)) continue;
      const file = path.join(folder, kind, name);
      // Another program in this folder may just be done with it.
      const found = await stat(file).catch(() => undefined);
      if (found && found.mtimeMs < limit) await rm(file, { force: true });
    }
  }

  return {
    async put(key, bytes) {
      checkKey(key);
      try {
        await write(key, bytes);
      } catch (error) {
        throw failed(isFull(error) ? "DISK_FULL" : "OUTPUT_UNWRITABLE", "The image cannot be stored", error);
      }
    },
    async get(key) {
      checkKey(key);
      try {
        const bytes = await read(key);
        return bytes && { bytes, contentType: contentTypeOf(key) };
      } catch (error) {
        throw failed("STORAGE_UNAVAILABLE", "The image cannot be read", error);
      }
    },
    async delete(key) {
      const file = fileOf(key);
      try {
        // What is on a disk that is not mounted is not deleted.
        await seeFolder(key);
        await rm(file, { force: true });
      } catch (error) {
        throw failed("STORAGE_UNAVAILABLE", "The image cannot be deleted", error);
      }
    },
    async *list(kind) {
      const directory = await opendir(path.join(folder, kind)).catch(() => undefined);
      if (directory === undefined) return;
      for await (const { name } of directory) {
        const key = `${kind}/${name}`;
        if (!isKey(key)) continue;
        const found = await stat(path.join(folder, key)).catch(() => undefined);
        if (found) yield { key, modifiedAt: found.mtime };
      }
    },
    async readClock() {
      const key = createKey("inputs", "bin");
      try {
        await write(key, new Uint8Array());
        return (await stat(fileOf(key))).mtime;
      } finally {
        await rm(fileOf(key), { force: true }).catch(() => {});
      }
    },
    async prepare() {
      try {
        for (const kind of OBJECT_KINDS)
          await mkdir(path.join(folder, kind), { recursive: true, mode: 0o700 });
      } catch (cause) {
        throw unusable(folder, cause);
      }
      await this.check();
    },
    async check(bytes = 1) {
      try {
        for (const kind of OBJECT_KINDS) await probe(kind, bytes);
      } catch (cause) {
        throw unusable(folder, cause);
      }
    },
  };
}

function unusable(folder: string, cause: unknown): RetouchError {
  const values = { field: "RETOUCH_DATA_DIR", folder, reason: reasonOf(cause) };
  return new RetouchError("STORAGE_UNAVAILABLE", failure("folder", values), { cause });
}

function isFull(error: unknown): boolean {
  const code = systemErrorCode(error instanceof RetouchError ? error.cause : error);
  return code === "ENOSPC" || code === "EDQUOT";
}

/** Tells the caller what is wrong but not where our folder lies: the operator sees that, in the cause. */
function failed(
  code: "DISK_FULL" | "OUTPUT_UNWRITABLE" | "STORAGE_UNAVAILABLE",
  what: string,
  cause: unknown,
): RetouchError {
  return new RetouchError(code, `${what}: ${reasonOf(cause)}.`, { cause });
}

/** The reason without the path that both kinds of errors contain. */
function reasonOf(error: unknown): string {
  if (error instanceof RetouchError) return String(error.values["reason"]);
  const { errno } = error as NodeJS.ErrnoException;
  return getSystemErrorMap().get(errno ?? 0)?.[1] ?? "the file system failed";
}
