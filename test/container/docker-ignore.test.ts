import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { contextFiles, readDockerIgnore } from "../support/container/docker-ignore.ts";
import { temporaryFolder } from "../support/temporary.ts";

const kept = (text: string, ...files: string[]): string[] =>
  files.filter((file) => !readDockerIgnore(text)(file));

describe("a .dockerignore", () => {
  it("leaves out what its last matching line leaves out, of a folder all", () => {
    const text = "# comment\n*\n\n!src\n!scripts/build.mjs\n**/.env*\n";
    expect(
      kept(
        text,
        "a",
        "b/c",
        "src/a.ts",
        "src/b/c.ts",
        "scripts/build.mjs",
        "scripts/other.mjs",
        "src/b/.env.local",
      ),
    ).toEqual(["src/a.ts", "src/b/c.ts", "scripts/build.mjs"]);
  });

  it("lets a later exception win, and a later line win over that", () => {
    expect(kept("docs\n!docs/a.md\n", "docs/a.md", "docs/b.md")).toEqual(["docs/a.md"]);
    expect(kept("!docs/a.md\ndocs\n", "docs/a.md")).toEqual([]);
  });

  it("matches a star within a name, two stars across folders, and nothing in part", () => {
    expect(kept("*.log", "a.log", "b/a.log", "a.logs")).toEqual(["b/a.log", "a.logs"]);
    expect(kept("**/*.log", "a.log", "b/c/a.log", "a.txt")).toEqual(["a.txt"]);
    expect(kept("/a?c/", "abc/x", "abbc", "b/abc")).toEqual(["abbc", "b/abc"]);
    expect(kept("a+b.(c)", "a+b.(c)", "aab.c")).toEqual(["aab.c"]);
  });

  it.each(["[ab]", String.raw`a\b`, "../a", "./a"])(
    "is refused where it says what is not known here: %s",
    (line) => {
      expect(() => readDockerIgnore(line)).toThrow("does not know the pattern");
    },
  );

  it("lists the files that are left", async () => {
    const folder = await temporaryFolder();
    for (const file of ["src/b/c.ts", "src/a.ts", "docs/a.md", "node_modules/x/index.js"]) {
      await mkdir(path.join(folder, path.dirname(file)), { recursive: true });
      await writeFile(path.join(folder, file), "");
    }
    expect(await contextFiles(folder, readDockerIgnore("*\n!src\n"))).toEqual(["src/a.ts", "src/b/c.ts"]);
  });
});
