/** Storage in a folder: one file per object, in folders that only this user can enter. */
import { mkdir, opendir, readFile, rm, stat } from "node:fs/promises";
import path from "node:path";
import { getSystemErrorMap } from "node:util";
import { failure, RetouchError } from "../errors.ts";
import { checkWritable, writeFileAtomically } from "../files/write-atomically.ts";
import { systemErrorCode } from "../files/system-error.ts";
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

/** @param folder is created, with its parents, when something is stored or checked */
export function createLocalStorage(folder: string): Storage {
  const fileOf = (key: string): string => {
    checkKey(key);
    return path.join(folder, key);
  };
  const makeFolder = (kind: string): Promise<unknown> =>
    mkdir(path.join(folder, kind), { recursive: true, mode: 0o700 });

  async function removeLeftovers(kind: ObjectKind): Promise<void> {
    const limit = Date.now() - LEFTOVER_AGE_MS;
    for await (const { name } of await opendir(path.join(folder, kind))) {
      if (!LEFTOVER.test(name)) continue;
      const file = path.join(folder, kind, name);
      if ((await stat(file)).mtimeMs < limit) await rm(file, { force: true });
    }
  }

  return {
    async put(key, bytes) {
      const file = fileOf(key);
      try {
        // If it fails, the write says why.
        await makeFolder(path.dirname(key)).catch(() => {});
        await writeFileAtomically(file, bytes);
      } catch (error) {
        throw failed("OUTPUT_UNWRITABLE", "The image cannot be stored", error);
      }
    },
    async get(key) {
      const file = fileOf(key);
      try {
        return { bytes: await readFile(file), contentType: contentTypeOf(key) };
      } catch (error) {
        if (systemErrorCode(error) === "ENOENT") return undefined;
        throw failed("STORAGE_UNAVAILABLE", "The image cannot be read", error);
      }
    },
    async delete(key) {
      const file = fileOf(key);
      try {
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
    async check() {
      try {
        for (const kind of OBJECT_KINDS) {
          await makeFolder(kind);
          await checkWritable(path.join(folder, createKey(kind, "bin")));
          await removeLeftovers(kind);
        }
      } catch (cause) {
        const values = { field: "RETOUCH_DATA_DIR", folder, reason: reasonOf(cause) };
        throw new RetouchError("STORAGE_UNAVAILABLE", failure("folder", values), { cause });
      }
    },
  };
}

/** Tells the caller what is wrong but not where our folder lies: the operator sees that, in the cause. */
function failed(
  code: "OUTPUT_UNWRITABLE" | "STORAGE_UNAVAILABLE",
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
