/**
 * Writes results exactly once, whenever the process is killed: the bytes go to a staged file, whose name is known
 * beforehand; the caller notes what it holds; then the file gets its final name in one step. Whoever comes next finds
 * by the note that the staged or the named file is the result.
 */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { link, lstat, mkdir, open, rename, rm } from "node:fs/promises";
import path from "node:path";
import { ifNothingThere, systemErrorCode } from "./system-error.ts";
import { unwritable, writeSynced } from "./write-atomically.ts";
import { NO_LINKS } from "./write-new.ts";

/** Writes the staged file, which is on disk when this returns; a leftover of that name is removed. @throws RetouchError OUTPUT_UNWRITABLE */
export async function stageFile(staged: string, bytes: Uint8Array): Promise<void> {
  try {
    await rm(staged, { force: true });
    await writeSynced(staged, bytes);
  } catch (error) {
    await rm(staged, { force: true }).catch(() => {});
    throw unwritable(staged, error);
  }
}

/**
 * Gives a staged file its name; the name, too, is on disk when this returns.
 * @param options.isReplacing whether what has the name is replaced; a symbolic link is itself replaced, not followed
 * @returns false if the name is taken; the staged file is then removed
 * @throws RetouchError OUTPUT_UNWRITABLE
 */
export async function nameStagedFile(
  staged: string,
  target: string,
  { isReplacing }: { isReplacing: boolean },
): Promise<boolean> {
  try {
    const isNamed = isReplacing ? await renamed(staged, target) : await linked(staged, target);
    await rm(staged, { force: true });
    await syncFolder(path.dirname(target));
    return isNamed;
  } catch (error) {
    throw unwritable(target, error);
  }
}

async function renamed(staged: string, target: string): Promise<true> {
  await rename(staged, target);
  return true;
}

/**
 * Takes the name by a hard link, which the system refuses if it is taken. On file systems without links only a look
 * tells, and a file that appears right after it would be replaced.
 */
async function linked(staged: string, target: string): Promise<boolean> {
  try {
    await link(staged, target);
    return true;
  } catch (error) {
    const code = systemErrorCode(error) ?? "";
    if (code === "EEXIST") return false;
    if (!NO_LINKS.has(code)) throw error;
    return (await lstat(target).catch(ifNothingThere)) === undefined && renamed(staged, target);
  }
}

/** Makes new names in a folder last; Windows, which has no such call, keeps them by itself. */
export async function syncFolder(folder: string): Promise<void> {
  if (process.platform === "win32") return;
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Creates a folder and those around it so that they last. */
export async function makeFolder(folder: string): Promise<void> {
  const first = await mkdir(folder, { recursive: true });
  if (first === undefined) return;
  for (let at = folder; ; at = path.dirname(at)) {
    await syncFolder(path.dirname(at));
    if (path.resolve(at) === path.resolve(first) || path.dirname(at) === at) return;
  }
}

/** The SHA-256 of a regular file; undefined for anything else. */
export async function digestOfFile(file: string): Promise<string | undefined> {
  const found = await lstat(file).catch(ifNothingThere);
  if (found === undefined || !found.isFile()) return undefined;
  const hash = createHash("sha256");
  for await (const part of createReadStream(file) as AsyncIterable<Buffer>) hash.update(part);
  return hash.digest("hex");
}
