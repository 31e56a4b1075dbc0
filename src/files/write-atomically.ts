/**
 * Writes results so that a file is either the old one or the complete new one: the bytes go to a temporary file beside
 * the target, which is renamed onto it once the bytes are on disk.
 */
import { randomBytes } from "node:crypto";
import { mkdir, open, realpath, rename, rm, stat, writeFile } from "node:fs/promises";
import path from "node:path";
import { failure, messageOf, RetouchError } from "../errors.ts";
import { ifMissing, systemErrorCode } from "./system-error.ts";

/**
 * Writes a file whole or not at all; an existing file at `target` survives every failure. Missing parent folders are
 * created, a symbolic link is followed, and a device or pipe (such as /dev/stdout) is written to directly.
 * @throws RetouchError OUTPUT_UNWRITABLE
 */
export async function writeFileAtomically(target: string, bytes: Uint8Array): Promise<void> {
  try {
    const { file, isSpecial, mode } = await locate(target);
    if (isSpecial) return await writeFile(file, bytes);
    await replaceFile(file, bytes, mode);
  } catch (error) {
    throw unwritable(target, error);
  }
}

/**
 * Checks in advance that `writeFileAtomically` is likely to succeed, by creating an empty temporary file beside the
 * target (and its missing parent folders) and removing it.
 * @throws RetouchError OUTPUT_UNWRITABLE
 */
export async function checkWritable(target: string): Promise<void> {
  try {
    const { file, isSpecial } = await locate(target);
    if (isSpecial) return;
    const temporary = temporaryBeside(file);
    try {
      await (await open(temporary, "wx")).close();
    } finally {
      await rm(temporary, { force: true });
    }
  } catch (error) {
    throw unwritable(target, error);
  }
}

interface Location {
  file: string;
  /** A device or a pipe, which nothing can be renamed onto. */
  isSpecial: boolean;
  /** Permissions of the file that is replaced. */
  mode: number | undefined;
}

async function locate(target: string): Promise<Location> {
  if (target === "" || /[/\\]$/.test(target)) throw errorWithCode("EISDIR");
  const existing = await stat(target).catch(ifMissing);
  if (existing === undefined) {
    await mkdir(path.dirname(target), { recursive: true });
    return { file: target, isSpecial: false, mode: undefined };
  }
  if (existing.isDirectory()) throw errorWithCode("EISDIR");
  if (!existing.isFile()) return { file: target, isSpecial: true, mode: undefined };
  return { file: await realpath(target), isSpecial: false, mode: existing.mode & 0o777 };
}

/** Writes a file that must not exist yet; its bytes are on disk when this returns. */
export async function writeSynced(file: string, bytes: Uint8Array, mode?: number): Promise<void> {
  const handle = await open(file, "wx");
  try {
    if (mode !== undefined) await handle.chmod(mode);
    await handle.writeFile(bytes);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function replaceFile(file: string, bytes: Uint8Array, mode: number | undefined): Promise<void> {
  const temporary = temporaryBeside(file);
  try {
    // Without the sync, a crash after the rename may leave an empty file under the final name.
    await writeSynced(temporary, bytes, mode);
    await rename(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {});
    throw error;
  }
}

/** Short, and independent of the target's name, which may already have the maximum length. */
export function temporaryBeside(file: string): string {
  return path.join(path.dirname(file), `.retouch-${randomBytes(6).toString("hex")}.tmp`);
}

const REASONS: Record<string, string> = {
  EACCES: "permission is denied",
  EPERM: "permission is denied",
  EROFS: "the file system is read-only",
  ENOENT: "files cannot be created there",
  EISDIR: "it is a folder, not a file name",
  ENOTDIR: "a part of its path is a file, not a folder",
  EEXIST: "a part of its path is a file, not a folder",
  ENOSPC: "the disk is full",
  EDQUOT: "the disk quota is used up",
  EFBIG: "the file would be larger than the system allows",
  ENAMETOOLONG: "its name is too long",
  ELOOP: "its symbolic links go round in a circle",
};

/** The error for a file that cannot be written. */
export function unwritable(target: string, cause: unknown): RetouchError {
  if (cause instanceof RetouchError) return cause;
  const code = systemErrorCode(cause);
  const reason = (code !== undefined && REASONS[code]) || messageOf(cause);
  const file = target === "" ? '""' : target;
  return new RetouchError("OUTPUT_UNWRITABLE", failure("unwritable", { file, reason }), { cause });
}

function errorWithCode(code: string): Error {
  return Object.assign(new Error(code), { code });
}
