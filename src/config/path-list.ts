/** Lists of paths with commas between them, where a path may have commas itself: what exists decides. */
import { statSync } from "node:fs";

export function isKind(file: string, kind: "isDirectory" | "isFile"): boolean {
  try {
    return statSync(file)[kind]();
  } catch {
    return false;
  }
}

/** How many of the pieces, from the first on, are together the longest name of a folder; 0 if none are. */
export function longestFolder(pieces: readonly string[]): number {
  for (let end = pieces.length; end > 0; end -= 1) {
    const folder = pieces.slice(0, end).join(",").trim();
    if (folder !== "" && isKind(folder, "isDirectory")) return end;
  }
  return 0;
}
