/**
 * Which files of a folder a build sees: https://docs.docker.com/build/concepts/context/#dockerignore-files. The last
 * pattern that matches a path or a folder around it decides.
 */
import { readdir } from "node:fs/promises";
import path from "node:path";

interface Pattern {
  readonly expression: RegExp;
  readonly isException: boolean;
}

/** @returns whether a path with slashes, relative to the context, is left out */
export function readDockerIgnore(text: string): (file: string) => boolean {
  const patterns = text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map(toPattern);
  return (file) => {
    const parts = file.split("/");
    const itself = parts.map((_, index) => parts.slice(0, index + 1).join("/"));
    const last = patterns.findLast(({ expression }) => itself.some((part) => expression.test(part)));
    return last !== undefined && !last.isException;
  };
}

function toPattern(line: string): Pattern {
  const isException = line.startsWith("!");
  const glob = line.slice(isException ? 1 : 0).replace(/^\/+|\/+$/g, "");
  if (/[[\]\\]|(^|\/)\.\.?(\/|$)/.test(glob))
    throw new Error(`The replay does not know the pattern ${line}.`);
  const source = glob
    .replace(/[.+^${}()|]/g, String.raw`\$&`)
    .replace(/\*\*\/|\*\*|\*|\?/g, (wildcard) => WILDCARDS[wildcard]!);
  return { expression: new RegExp(`^${source}$`), isException };
}

const WILDCARDS: Readonly<Record<string, string>> = {
  "**/": "(?:.*/)?",
  "**": ".*",
  "*": "[^/]*",
  "?": "[^/]",
};

/** The files, with slashes, in order. Folders that hold none are not there. */
export async function contextFiles(folder: string, isLeftOut: (file: string) => boolean): Promise<string[]> {
  const files: string[] = [];
  const visit = async (below: string): Promise<void> => {
    for (const entry of await readdir(path.join(folder, below), { withFileTypes: true })) {
      const name = path.posix.join(below, entry.name);
      // Nothing in these is for a build, and they are large; an exception for one would be seen by the test of COPY.
      if (entry.isDirectory() && (name === ".git" || name === "node_modules")) continue;
      if (entry.isDirectory()) await visit(name);
      else if (!isLeftOut(name)) files.push(name);
    }
  };
  await visit("");
  return files.toSorted();
}
