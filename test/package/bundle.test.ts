/** The bundle of the command, as the build leaves it. */
import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { root } from "../support/fixtures.ts";

const folder = path.join(root, "dist", "command");
const files = await readdir(folder);
const texts = await Promise.all(files.map((file) => readFile(path.join(folder, file), "utf8")));

describe("the command's bundle", () => {
  it("is what bin/retouch.js starts", async () => {
    const [, started] = /import\("\.\.\/(dist\/[^"]+)"\)/.exec(
      await readFile(path.join(root, "bin", "retouch.js"), "utf8"),
    )!;
    expect(path.resolve(root, started!)).toBe(path.join(folder, "main.js"));
    expect(files).toContain("main.js");
  });

  it("imports its own files and packages only, and finds every file that its modules name by their own URL", () => {
    const own = texts.flatMap((text) =>
      Array.from(text.matchAll(/new URL\("([^"]+)", import\.meta\.url\)/g)),
    );
    expect(own.length).toBeGreaterThan(5);
    for (const [, file] of own) expect(existsSync(path.join(folder, file!)), file).toBe(true);
    const imported = texts.flatMap((text) => Array.from(text.matchAll(/(?:from |import\()"(\.[^"]+)"/g)));
    expect(imported.length).toBeGreaterThan(5);
    for (const [, file] of imported) expect(files).toContain(path.basename(file!));
  });
});
