/** Finds the pictures in a folder and the folders in it, by their names; what they hold is looked at later. */
import { type BigIntStats, type Dirent } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import path from "node:path";
import { RetouchError } from "../../errors.ts";
import { systemErrorCode } from "../../files/system-error.ts";
import { LIMITS } from "./limits.ts";

const PICTURE = /\.(?:png|jpe?g|jpe|webp|avif|gif|tiff?)$/i;

export interface FoundPictures {
  /** Paths below the folder, with `/`, in the order of their characters. */
  files: string[];
  /** Folders that cannot be read, with why. */
  unreadable: { folder: string; reason: string }[];
  /** Files whose names are none of pictures. */
  others: number;
}

/**
 * Walks a folder. Hidden files and folders are left out. Symbolic links are followed, and a folder that was entered
 * before, such as by a link to a folder around it, is not entered again.
 * @param isSkipped called with the path of each folder and picture
 * @throws RetouchError INVALID_PARAMETER beyond the limits
 */
export async function findPictures(
  root: string,
  isSkipped: (file: string) => Promise<boolean>,
): Promise<FoundPictures> {
  const found: FoundPictures = { files: [], unreadable: [], others: 0 };
  const entered = new Set<string>();
  let names = 0;

  async function enter(below: string, depth: number): Promise<void> {
    const folder = path.join(root, below);
    if (depth > LIMITS.depth) {
      throw tooMuch(root, `has folders more than ${LIMITS.depth} deep`);
    }
    let entries: Dirent[];
    try {
      const { dev, ino } = await stat(folder, { bigint: true });
      const identity = `${dev} ${ino}`;
      if (entered.has(identity)) return;
      entered.add(identity);
      entries = await readdir(folder, { withFileTypes: true });
    } catch (error) {
      found.unreadable.push({ folder, reason: reasonOf(error) });
      return;
    }
    names += entries.length;
    if (names > LIMITS.names) {
      throw tooMuch(root, `has more than ${LIMITS.names.toLocaleString("en")} files`);
    }
    for (const entry of entries.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
      if (entry.name.startsWith(".")) continue;
      const inside = below === "" ? entry.name : `${below}/${entry.name}`;
      const file = path.join(root, inside);
      const isFolder = entry.isDirectory() || (entry.isSymbolicLink() && (await isFolderBehind(file)));
      if (!isFolder && !PICTURE.test(entry.name)) found.others += 1;
      else if (!(await isSkipped(file))) {
        if (isFolder) await enter(inside, depth + 1);
        else found.files.push(inside);
      }
      if (found.files.length > LIMITS.edits) {
        throw tooMuch(root, `has more than ${LIMITS.edits.toLocaleString("en")} pictures`);
      }
    }
  }
  await enter("", 0);
  return found;
}

async function isFolderBehind(link: string): Promise<boolean> {
  const found = await stat(link, { bigint: true }).catch((): BigIntStats | undefined => undefined);
  return found?.isDirectory() ?? false;
}

function reasonOf(error: unknown): string {
  const code = systemErrorCode(error);
  return code === "EACCES" || code === "EPERM" ? "permission is denied" : (code ?? String(error));
}

const tooMuch = (root: string, sentence: string): RetouchError =>
  new RetouchError("INVALID_PARAMETER", `${root} ${sentence}; name its folders one by one.`);
