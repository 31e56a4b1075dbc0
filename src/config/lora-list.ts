/**
 * The setting that names LoRAs: folders, and pairs of a name and a file, separated by commas. Commas and equals signs
 * may stand in paths, too, so what exists decides.
 */
import { readdirSync } from "node:fs";
import path from "node:path";
import type { Parser } from "./parsers.ts";
import { isKind, longestFolder } from "./path-list.ts";

/** The longest name, in characters: as long as a file's may be. */
export const MAX_LORA_NAME = 255;
/** No slash, so that no name looks like a path. */
const LORA_NAME = /^[^\p{Cc}/\\=,]{1,255}$/u;
const PAIR = /^[^/\\=,]*=/;
const LORA_ENDING = /\.safetensors$/i;
/** What macOS leaves beside files on other systems' disks. */
const APPLE_DOUBLE = "._";

type Entry = readonly [name: string, file: string];

/** Those of a folder are named by file without the extension, and read along with the settings. */
export const loras: Parser<Readonly<Record<string, string>>> = {
  accepts: "a folder with .safetensors files, or name=file,name=file",
  parse(value) {
    const parts = partsOf(value);
    const entries = parts.flatMap((part) => entriesOf(part) ?? []);
    const isValid = parts.length > 0 && wrongPart(value) === undefined;
    return isValid ? Object.fromEntries(entries) : undefined;
  },
  wrongPart,
};

/** The first part that is neither a folder of LoRAs nor a pair, or whose name another has. */
function wrongPart(value: string): string | undefined {
  const names = new Set<string>();
  return partsOf(value).find((part) => {
    const entries = entriesOf(part);
    const isNew = entries?.every(([name]) => !names.has(name) && names.add(name));
    return !isNew;
  });
}

/** The list's parts: the longest that is a folder, or a pair up to the next part. */
function partsOf(value: string): string[] {
  const pieces = value.split(",");
  const parts: string[] = [];
  for (let at = 0; at < pieces.length;) {
    let end = folderFrom(pieces, at);
    if (end === undefined) {
      end = at + 1;
      if (PAIR.test(pieces[at]!)) {
        while (!LORA_ENDING.test(pieces[end - 1]!.trim()) && isRest(pieces, end)) end += 1;
      }
    }
    const part = pieces.slice(at, end).join(",").trim();
    if (part !== "") parts.push(part);
    at = end;
  }
  return parts;
}

/** Whether a piece belongs to the path before it: no part begins there, and the list does not end. */
const isRest = (pieces: readonly string[], at: number): boolean =>
  (pieces[at] ?? "").trim() !== "" && !PAIR.test(pieces[at]!) && folderFrom(pieces, at) === undefined;

/** Where the longest folder that begins at a piece ends. */
function folderFrom(pieces: readonly string[], at: number): number | undefined {
  const length = longestFolder(pieces.slice(at));
  return length === 0 ? undefined : at + length;
}

/** @returns undefined for a part that is neither */
function entriesOf(part: string): Entry[] | undefined {
  if (isKind(part, "isDirectory")) {
    const found = safetensorsIn(part);
    return found.length > 0 ? found : undefined;
  }
  const [name, ...file] = part.split("=");
  const pair: Entry = [name!.trim(), file.join("=").trim()];
  return LORA_NAME.test(pair[0]) && pair[1] !== "" ? [pair] : undefined;
}

/** The LoRAs of a folder; two that differ only in the case of the ending have it in their names. */
function safetensorsIn(folder: string): Entry[] {
  const entries = new Map<string, string>();
  for (const file of filesOf(folder)) {
    const stem = harmless(file.replace(LORA_ENDING, ""));
    const name = entries.has(stem) ? harmless(file) : stem;
    if (!entries.has(name)) entries.set(name, path.join(folder, file));
  }
  return [...entries];
}

function filesOf(folder: string): string[] {
  try {
    const names = readdirSync(folder).filter(
      (name) =>
        LORA_ENDING.test(name) && name.replace(LORA_ENDING, "") !== "" && !name.startsWith(APPLE_DOUBLE),
    );
    return names.filter((name) => isKind(path.join(folder, name), "isFile")).toSorted();
  } catch {
    return [];
  }
}

/** A file's name as that of a LoRA: control characters and backslashes become underscores. */
const harmless = (name: string): string => name.replaceAll(/[\p{Cc}\\]/gu, "_");

/** The part of the setting for one value of the flag: a file is named without folder and extension. */
export function loraPart(text: string): string {
  const isFile = LORA_ENDING.test(text) && (isKind(text, "isFile") || !PAIR.test(text));
  if (!isFile) return text;
  const name = harmless(path.basename(text).replace(LORA_ENDING, ""));
  return `${name.replaceAll(/[=,]/g, "_")}=${text}`;
}
