/** The library's reference is that of the types, and every exported name says what it is. */
import { readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { libraryPages, readLibrary } from "../../scripts/library-page.mjs";
import * as library from "../../src/index.ts";
import { root } from "../support/fixtures.ts";

describe("the library's reference", () => {
  it("has every export, each with a doc comment", () => {
    const all = readLibrary();
    const names = all.map(({ name }) => name);
    for (const name of Object.keys(library)) expect(names).toContain(name);
    expect(new Set(names).size).toBe(names.length);
    expect(all.filter(({ doc }) => doc.length < 10).map(({ name }) => name)).toEqual([]);
    expect(all.find(({ name }) => name === "createEngine")!.code).toMatch(
      /^function createEngine\(.*\): Promise<Engine>;$/s,
    );
  });

  it("is up to date: `npm run docs:library` writes it", async () => {
    for (const [name, text] of Object.entries(await libraryPages())) {
      expect(readFileSync(path.join(root, name), "utf8"), name).toBe(text);
    }
  });
});
