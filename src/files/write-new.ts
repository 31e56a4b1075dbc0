/**
 * Writes results for a program that must not lose what others made: a name that is taken stays as it is, also when it
 * is taken while the bytes are on their way. They go to a temporary file beside the target, whole, and get their name
 * by a hard link, which the system refuses where something has it.
 */
import { constants, copyFile, link, lstat, mkdir, open, rename, rm } from "node:fs/promises";
import path from "node:path";
import { systemErrorCode } from "./system-error.ts";
import { temporaryBeside, unwritable } from "./write-atomically.ts";

/** Which file it is, and which content of it: another one under the same name differs, and so does a changed one. */
export interface FileIdentity {
  readonly dev: bigint;
  readonly ino: bigint;
  readonly size: bigint;
  readonly mtimeNs: bigint;
}

/** File systems without hard links, such as those of memory cards, answer one of these. */
const NO_LINKS: ReadonlySet<string> = new Set([
  "EPERM",
  "ENOTSUP",
  "EOPNOTSUPP",
  "ENOSYS",
  "EMLINK",
  "EINVAL",
]);

/**
 * Writes a file that is not there yet; missing parent folders are created.
 * @returns undefined where something has the name, which then stays as it is, a symbolic link to nothing included
 * @throws RetouchError OUTPUT_UNWRITABLE
 */
export async function writeNewFile(target: string, bytes: Uint8Array): Promise<FileIdentity | undefined> {
  try {
    await mkdir(path.dirname(target), { recursive: true });
    return await withTemporary(target, bytes, (temporary) => nameFile(temporary, target));
  } catch (error) {
    throw unwritable(target, error);
  }
}

/**
 * Replaces a file that was written before, or writes it anew where it is gone.
 * @returns undefined where the file is another one or was changed since, and then stays as it is
 * @throws RetouchError OUTPUT_UNWRITABLE
 */
export async function replaceKnownFile(
  target: string,
  known: FileIdentity,
  bytes: Uint8Array,
): Promise<FileIdentity | undefined> {
  try {
    const found = await identityOf(target);
    if (found === undefined) return await writeNewFile(target, bytes);
    if (!isSame(found, known)) return undefined;
    return await withTemporary(target, bytes, (temporary) => exchange(temporary, target, known));
  } catch (error) {
    throw unwritable(target, error);
  }
}

/** What is at a path now, without following a symbolic link. */
export async function identityOf(file: string): Promise<FileIdentity | undefined> {
  try {
    return await lstat(file, { bigint: true });
  } catch (error) {
    if (systemErrorCode(error) === "ENOENT") return undefined;
    throw error;
  }
}

export const isSame = (one: FileIdentity, other: FileIdentity): boolean =>
  one.dev === other.dev && one.ino === other.ino && one.size === other.size && one.mtimeNs === other.mtimeNs;

/** Takes the old file aside and looks at it there, where nobody else puts one: renaming over it could hit another. */
async function exchange(
  temporary: string,
  target: string,
  known: FileIdentity,
): Promise<FileIdentity | undefined> {
  const aside = temporaryBeside(target);
  await rename(target, aside);
  let isOurs = false;
  try {
    const taken = await identityOf(aside);
    isOurs = taken !== undefined && isSame(taken, known);
    const named = isOurs ? await nameFile(temporary, target) : undefined;
    if (isOurs) await rm(aside, { force: true });
    return named;
  } catch (error) {
    isOurs = false;
    throw error;
  } finally {
    // Under a name that was taken meanwhile it does not go back, and stays beside it.
    if (!isOurs && (await nameFile(aside, target)) !== undefined) await rm(aside, { force: true });
  }
}

async function withTemporary<Result>(
  target: string,
  bytes: Uint8Array,
  use: (temporary: string) => Promise<Result>,
): Promise<Result> {
  const temporary = temporaryBeside(target);
  try {
    const handle = await open(temporary, "wx");
    try {
      await handle.writeFile(bytes);
      await handle.sync();
    } finally {
      await handle.close();
    }
    return await use(temporary);
  } finally {
    await rm(temporary, { force: true }).catch(() => {});
  }
}

/** Gives a file a further name. @returns undefined where it is taken */
async function nameFile(file: string, name: string): Promise<FileIdentity | undefined> {
  try {
    await link(file, name);
  } catch (error) {
    const code = systemErrorCode(error) ?? "";
    if (code === "EEXIST") return undefined;
    if (!NO_LINKS.has(code)) throw error;
    const isCopied = await copyFile(file, name, constants.COPYFILE_EXCL).then(
      () => true,
      (cause: unknown) => {
        if (systemErrorCode(cause) === "EEXIST") return false;
        throw cause;
      },
    );
    if (!isCopied) return undefined;
  }
  return identityOf(name);
}
