/**
 * Writes results for a program that must not lose other programs' files: a name that is taken stays as it is, even if
 * it is taken while the bytes are being written. The bytes go to a temporary file beside the target, which gets its
 * name by a hard link; the system refuses that if the name is taken.
 */
import { constants, copyFile, link, lstat, mkdir, rename, rm } from "node:fs/promises";
import path from "node:path";
import { systemErrorCode } from "./system-error.ts";
import { temporaryBeside, unwritable, writeSynced } from "./write-atomically.ts";

/** Which file it is, and which content it has: a different or a changed file under the same name does not match. */
export interface FileIdentity {
  readonly dev: bigint;
  readonly ino: bigint;
  readonly size: bigint;
  readonly mtimeNs: bigint;
}

/** Errors of file systems without hard links, such as those of memory cards. */
export const NO_LINKS: ReadonlySet<string> = new Set([
  "EPERM",
  "ENOTSUP",
  "EOPNOTSUPP",
  "ENOSYS",
  "EMLINK",
  "EINVAL",
]);

/**
 * Writes a file that does not exist yet; missing parent folders are created.
 * @returns undefined if the name is taken; whatever has it stays as it is, even a broken symbolic link
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
 * Replaces a file that was written before, or writes it again if it is gone.
 * @returns undefined if the file is a different one or has changed since; it then stays as it is
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

/** Moves the old file aside and checks it there, where nobody else puts files: renaming over it could hit another. */
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
    // If the name has been taken in the meantime, the file cannot go back and stays beside it.
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
    await writeSynced(temporary, bytes);
    return await use(temporary);
  } finally {
    await rm(temporary, { force: true }).catch(() => {});
  }
}

/** Gives a file another name. @returns undefined if the name is taken */
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
