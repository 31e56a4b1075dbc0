/** Where results go in the output folder: each name once, none outside, and nothing replaced that was not made here. */
import { lstat, realpath } from "node:fs/promises";
import path from "node:path";
import { invalid, RetouchError } from "../../errors.ts";
import { systemErrorCode } from "../../files/system-error.ts";
import { isWithin, realPathOf } from "../root-folder.ts";
import type { KnownEdit } from "./journal.ts";
import { sameName } from "./output-name.ts";

export interface OutputPlaces {
  /** Gives a name to an edit. @throws RetouchError INVALID_PARAMETER if another has it, or it leads outside */
  claim(output: string): Promise<void>;
  isClaimed(output: string): Promise<boolean>;
  /**
   * Looks at what has the name now.
   * @param before what the journal knows of the edit
   * @returns whether the edit is done
   * @throws RetouchError INVALID_PARAMETER for a file that must not be replaced
   */
  isDone(output: string, before: KnownEdit | undefined): Promise<boolean>;
  fileOf(output: string): string;
  /** As sentences and the summary have it. */
  shown(output: string): string;
  /** Without symbolic links, as far as it exists. */
  realPath(file: string): Promise<string>;
}

/**
 * @param folder as it was given; need not exist
 * @param options.isReplacing whether files that are there may be replaced
 */
export async function createOutputPlaces(
  folder: string,
  { isReplacing }: { isReplacing: boolean },
): Promise<OutputPlaces> {
  const root = await realPathOf(path.resolve(folder));
  if (root === undefined) {
    throw invalid("oneOf", { field: "output", choices: "a folder", given: JSON.stringify(folder) });
  }
  const claimed = new Set<string>();
  /** Folders around the claimed names. */
  const around = new Set<string>();
  const realPaths = new Map<string, string>();

  async function realPath(file: string): Promise<string> {
    const known = realPaths.get(file);
    if (known !== undefined) return known;
    const found = (await realPathOf(file).catch(() => undefined)) ?? file;
    realPaths.set(file, found);
    return found;
  }
  const fileOf = (output: string): string => path.join(root, ...output.split("/"));
  const shown = (output: string): string => path.join(folder, ...output.split("/"));
  /** One for all spellings of a place; symbolic links of folders are followed. */
  async function placeOf(output: string): Promise<string> {
    const file = fileOf(output);
    const parent = await realPath(path.dirname(file));
    if (!isWithin(root!, parent)) {
      throw new RetouchError(
        "INVALID_PARAMETER",
        `${shown(output)} leads out of the output folder through a symbolic link.`,
      );
    }
    return sameName(path.join(parent, path.basename(file)));
  }
  function* foldersOf(place: string): Generator<string> {
    for (let at = path.dirname(place); isWithin(sameName(root!), at) && at !== path.dirname(at);) {
      yield at;
      at = path.dirname(at);
    }
  }

  return {
    fileOf,
    shown,
    realPath,
    isClaimed: async (output) => claimed.has(await placeOf(output)),
    async claim(output) {
      const place = await placeOf(output);
      if (claimed.has(place)) throw refused(shown(output), "is the result of another edit of this batch");
      const folders = [...foldersOf(place)];
      if (around.has(place) || folders.some((one) => claimed.has(one))) {
        throw refused(shown(output), "is a result and a folder of results in this batch");
      }
      claimed.add(place);
      for (const one of folders) around.add(one);
    },
    async isDone(output, before) {
      const found = await lstat(fileOf(output)).catch(ifMissing);
      if (found === undefined) return false;
      if (before?.isDone === true) return true;
      if (found.isDirectory()) throw refused(shown(output), "is a folder");
      if (isReplacing) return false;
      throw refused(shown(output), "already exists, and was not made by this edit; --overwrite replaces it");
    },
  };
}

/** The folder in which a result is written, once more without symbolic links that lead outside. @throws RetouchError */
export async function checkStillInside(root: string, file: string): Promise<void> {
  const parent = await realpath(path.dirname(file));
  if (!isWithin(await realpath(root), parent)) {
    throw refused(file, "leads out of the output folder through a symbolic link");
  }
}

const refused = (name: string, sentence: string): RetouchError =>
  new RetouchError("INVALID_PARAMETER", `${name} ${sentence}.`);

function ifMissing(error: unknown): undefined {
  if (["ENOENT", "ENOTDIR"].includes(systemErrorCode(error) ?? "")) return undefined;
  throw error;
}
