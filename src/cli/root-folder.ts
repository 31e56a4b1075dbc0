/**
 * The folder outside which `retouch mcp` reads and writes nothing: a model chooses the paths, and anybody may
 * have written what it was shown.
 */
import { constants } from "node:fs";
import { type FileHandle, lstat, open, realpath, stat } from "node:fs/promises";
import path from "node:path";
import { invalid, RetouchError } from "../errors.ts";
import { systemErrorCode } from "../files/system-error.ts";

export interface RootFolder {
  /** Its real path. */
  readonly folder: string;
  /**
   * The real path of a file that a call names and that may not exist yet: resolved against the root, without
   * symbolic links.
   * @param argument its name in sentences
   * @throws RetouchError INVALID_PARAMETER if it is outside the root; a system error if that cannot be
   * determined
   */
  locate(argument: string, given: string): Promise<string>;
  /** Opens a file for reading, and makes sure that the opened file has a path in the root. */
  open(argument: string, given: string): Promise<FileHandle>;
}

/** Missing on Windows, which has no such files to open. */
const { O_RDONLY, O_NONBLOCK = 0, O_NOFOLLOW = 0 } = constants as Partial<typeof constants>;
const REMOTE = /^(?:[/\\]{2})/;

/**
 * Finds the folder.
 * @param given @default the working folder, unless that is the root of the file system
 * @throws RetouchError INVALID_PARAMETER for what is not a folder
 */
export async function openRootFolder(given: string | undefined): Promise<RootFolder> {
  const named = path.resolve(given ?? ".");
  const root = await realpath(named).catch(() => undefined);
  const isFolder = root !== undefined && (await stat(root)).isDirectory();
  if (!isFolder || given === "") {
    throw invalid("oneOf", { field: "--root", choices: "a folder", given: JSON.stringify(given ?? named) });
  }
  if (given === undefined && path.dirname(root) === root) {
    throw new RetouchError(
      "INVALID_PARAMETER",
      `The working folder is ${root}, which holds everything; name a folder with --root.`,
    );
  }

  async function locate(argument: string, wanted: string): Promise<string> {
    const outside = invalid("outside", { field: argument, root: root! });
    const absolute = path.resolve(root!, wanted);
    // Asking a host for its files tells it who is asking.
    const isRemote = process.platform === "win32" && REMOTE.test(absolute) && !isWithin(root!, absolute);
    if (wanted.includes("\0") || isRemote) throw outside;
    const file = await realPathOf(absolute);
    if (file === undefined || !isWithin(root!, file)) throw outside;
    return file;
  }

  return {
    folder: root,
    locate,
    async open(argument, wanted) {
      const file = await locate(argument, wanted);
      refuseSpecial(argument, await lstat(file));
      const handle = await open(file, O_RDONLY! | O_NONBLOCK | O_NOFOLLOW);
      try {
        const opened = await handle.stat({ bigint: true });
        refuseSpecial(argument, opened);
        // A folder on the path may have become a link to elsewhere since it was checked.
        const { dev, ino } = await stat(await locate(argument, wanted), { bigint: true });
        if (dev !== opened.dev || ino !== opened.ino) {
          throw invalid("replaced", { field: argument });
        }
        return handle;
      } catch (error) {
        await handle.close();
        throw error;
      }
    },
  };
}

/** Refuses special files: standard input and output belong to the protocol, under whatever name. */
export function refuseSpecial(argument: string, found: { isFile(): boolean; isDirectory(): boolean }): void {
  if (found.isDirectory()) throw Object.assign(new Error("a folder"), { code: "EISDIR" });
  if (!found.isFile()) throw invalid("oneOf", { field: argument, choices: "a file", given: "a device" });
}

/**
 * The real path, resolving only the folders that exist if the file does not.
 * @returns undefined for a dangling link
 */
export async function realPathOf(file: string): Promise<string | undefined> {
  const missing: string[] = [];
  for (let at = file; ; at = path.dirname(at)) {
    try {
      return path.join(await realpath(at), ...missing);
    } catch (error) {
      if (!["ENOENT", "ENOTDIR"].includes(systemErrorCode(error) ?? "")) throw error;
      const isLink = await lstat(at).then(
        () => true,
        () => false,
      );
      if (isLink || path.dirname(at) === at) return undefined;
      missing.unshift(path.basename(at));
    }
  }
}

export function isWithin(root: string, file: string): boolean {
  const way = path.relative(root, file);
  return way !== ".." && !way.startsWith(`..${path.sep}`) && !path.isAbsolute(way);
}
