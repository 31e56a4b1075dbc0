/** The pages that users read, and what stands in them. */
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { root } from "../support/fixtures.ts";

/** Paths from the root, with slashes. */
export const pages: readonly string[] = [
  "README.md",
  "CONTRIBUTING.md",
  ...readdirSync(path.join(root, "docs"), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".md"))
    .map((name) => `docs/${name.replaceAll("\\", "/")}`),
];

export const pageOf = (name: string): string => readFileSync(path.join(root, name), "utf8");

/** The cells of every row of every table, heads and rules included. */
export function rowsOf(page: string): string[][] {
  return page
    .split("\n")
    .filter((line) => line.startsWith("|"))
    .map((line) =>
      line
        .split(/(?<!\\)\|/)
        .slice(1, -1)
        .map((cell) => cell.trim().replaceAll("\\|", "|")),
    );
}

/** The parts of a page by their headings of the second level, without the code marks in these. */
export function sectionsOf(page: string): Map<string, string> {
  const [, ...parts] = page.split(/^## /m);
  return new Map(
    parts.map((part) => {
      const end = part.indexOf("\n");
      return [part.slice(0, end).replaceAll("`", ""), part.slice(end)];
    }),
  );
}

/** Texts between code marks on one line. */
export const codeIn = (text: string): string[] =>
  [...text.matchAll(/(?<!`)`([^`\n]+)`(?!`)/g)].map((match) => match[1]!);

/** A page without its blocks of code. */
export const withoutBlocks = (page: string): string => page.replaceAll(/^```[\s\S]*?^```$/gm, "");
