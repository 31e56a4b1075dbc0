/** What browsers offer in secure contexts only, and where the playground's sources speak of it. */
import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { root } from "./fixtures.ts";

const LIBRARY = `@typescript/typescript-${process.platform}-${process.arch}/package.json`;

export interface SecureNames {
  /** Of values and types, wherever they stand. */
  globals: ReadonlySet<string>;
  /** Of what objects have that exist everywhere, after a dot. */
  members: ReadonlySet<string>;
}

/** The names that TypeScript's own library of the DOM marks so. */
export function markedNames(): SecureNames {
  const manifest = createRequire(import.meta.url).resolve(LIBRARY);
  const library = readFileSync(path.join(path.dirname(manifest), "lib", "lib.dom.d.ts"), "utf8");
  const globals = new Set<string>();
  const members = new Set<string>();
  let isMarked = false;
  /** Whether the interface around is marked as a whole, so that its members are. */
  let isInside = false;
  for (const line of library.split("\n")) {
    const [, opened] = /^interface (\w+)/.exec(line) ?? [];
    const [, declared] = /^declare (?:var|function) (\w+)/.exec(line) ?? [];
    // A mixin such as NavigatorLocks is no value of its own: what it adds to others counts.
    const [, member] = /^ {4}(?:readonly )?(\w+)[?(:<]/.exec(line) ?? [];
    if (line.includes("secure contexts")) isMarked = true;
    else if (opened !== undefined) {
      isInside = isMarked && MIXIN.test(opened);
      if (isMarked) globals.add(opened);
      isMarked = false;
    } else if (declared !== undefined) {
      if (isMarked) globals.add(declared);
      isMarked = false;
    } else if (member !== undefined) {
      if (isMarked || isInside) members.add(member);
      isMarked = false;
    }
  }
  return { globals, members };
}

const MIXIN = /^Navigator[A-Z]/;

const pages = path.join(root, "web", "src");

/** The names that each file of the playground has, but those in its comments. */
export function usedNames({ globals, members }: SecureNames): Record<string, string[]> {
  const used = readdirSync(pages)
    .filter((file) => file.endsWith(".ts"))
    .map(
      (file) => [file, namesIn(readFileSync(path.join(pages, file), "utf8"), { globals, members })] as const,
    );
  return Object.fromEntries(used.filter(([, names]) => names.length > 0));
}

/** The names that a program has, but those in its comments, in the order of the alphabet. */
export function namesIn(text: string, { globals, members }: SecureNames): string[] {
  const code = text.replaceAll(/\/\*[\s\S]*?\*\/|(?<=^|\s)\/\/.*$/gm, "");
  const words = code.match(/\b[A-Za-z]\w*\b/g) ?? [];
  const afterDot = [...code.matchAll(/(?<!\.\.)\.\s*([A-Za-z]\w*)\b/g)].map(([, name]) => name!);
  const found = [
    ...words.filter((word) => globals.has(word)),
    ...afterDot.filter((word) => members.has(word)),
  ];
  return [...new Set(found)].toSorted();
}
