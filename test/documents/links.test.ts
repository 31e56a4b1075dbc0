/** What the pages point to is there. */
import { existsSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { root } from "../support/fixtures.ts";
import { codeIn, pageOf, pages, withoutBlocks } from "./pages.ts";

const { scripts, dependencies, devDependencies } = JSON.parse(pageOf("package.json")) as Record<
  "scripts" | "dependencies" | "devDependencies",
  Record<string, string>
>;
/** Folders of the checkout, of which pages name files. */
const OWN_PATH = /^(?:bench|bin|checkpoints|docs|examples|scripts|src|test|training|web)\/[\w./-]*$/;

/** As GitHub makes them of headings. */
function anchorsOf(page: string): string[] {
  return [...withoutBlocks(page).matchAll(/^#+ (.*)$/gm)].map((match) =>
    match[1]!
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, "")
      .replaceAll(" ", "-"),
  );
}

describe.each(pages)("%s", (name) => {
  const page = pageOf(name);
  const links = [...withoutBlocks(page).matchAll(/\]\(([^)\s]+)\)/g)].map((match) => match[1]!);

  it("links to files and headings that exist", () => {
    for (const link of links.filter((target) => !/^https?:/.test(target))) {
      const [file = "", anchor] = link.split("#");
      const target = file === "" ? name : path.posix.join(path.posix.dirname(name), file);
      expect(existsSync(path.join(root, target)), link).toBe(true);
      if (anchor !== undefined) expect(anchorsOf(pageOf(target)), link).toContain(anchor);
    }
  });

  it("names files that exist", () => {
    for (const file of codeIn(withoutBlocks(page)).filter((code) => OWN_PATH.test(code)))
      expect(existsSync(path.join(root, file)), file).toBe(true);
  });

  it("names scripts that exist", () => {
    for (const [, script] of page.matchAll(/npm run(?: --\S+)* ([\w:-]+)/g))
      expect(Object.keys(scripts)).toContain(script);
  });
});

describe("README.md", () => {
  it("links to every page of docs", () => {
    const readme = pageOf("README.md");
    for (const name of pages.filter((page) => /^docs\/[^/]+$/.test(page)))
      expect(readme).toContain(`(${name})`);
  });
});

describe("docs/architecture.md", () => {
  it("gives the reason of every dependency", () => {
    const page = pageOf("docs/architecture.md");
    for (const name of Object.keys({ ...dependencies, ...devDependencies }))
      if (!name.startsWith("@types/")) expect(page).toContain(`\`${name}\``);
  });
});
