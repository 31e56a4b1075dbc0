import { lstat, readdir, readFile, rename, symlink, writeFile } from "node:fs/promises";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { replaceKnownFile, writeNewFile } from "../../src/files/write-new.ts";
import { temporaryFolder } from "../support/temporary.ts";

const bytes = new TextEncoder().encode("the new picture");

describe("writeNewFile", () => {
  it("writes a file and missing folders, and leaves nothing else behind", async () => {
    const folder = await temporaryFolder();
    const target = path.join(folder, "deep", "a.png");
    const identity = await writeNewFile(target, bytes);
    expect(await readFile(target, "utf8")).toBe("the new picture");
    expect(identity!.ino).toBe((await lstat(target, { bigint: true })).ino);
    expect(await readdir(path.dirname(target))).toEqual(["a.png"]);
  });

  it("leaves what has the name, a link to nothing included", async () => {
    const folder = await temporaryFolder();
    const target = path.join(folder, "a.png");
    await symlink("nothing", target);
    expect(await writeNewFile(target, bytes)).toBeUndefined();
    expect(await readdir(folder)).toEqual(["a.png"]);
    const other = path.join(folder, "b.png");
    await writeFile(other, "mine");
    expect(await writeNewFile(other, bytes)).toBeUndefined();
    expect(await readFile(other, "utf8")).toBe("mine");
  });

  it("gives a name once to all who want it at the same time", async () => {
    const target = path.join(await temporaryFolder(), "a.png");
    const written = await Promise.all(
      Array.from({ length: 8 }, (_, index) => writeNewFile(target, Uint8Array.of(index))),
    );
    expect(written.filter((identity) => identity !== undefined)).toHaveLength(1);
    expect((await readFile(target))[0]).toBe(written.findIndex((identity) => identity !== undefined));
  });

  it("says in a sentence why it cannot", async () => {
    const folder = await temporaryFolder();
    await writeFile(path.join(folder, "file"), "");
    await expect(writeNewFile(path.join(folder, "file", "a.png"), bytes)).rejects.toMatchObject({
      code: "OUTPUT_UNWRITABLE",
      message: `${path.join(folder, "file", "a.png")} cannot be written: a part of its path is a file, not a folder.`,
    });
  });
});

describe("replaceKnownFile", () => {
  it("replaces the file that was written, and writes it where it is gone", async () => {
    const folder = await temporaryFolder();
    const target = path.join(folder, "a.png");
    const first = (await writeNewFile(target, Uint8Array.of(1)))!;
    const second = (await replaceKnownFile(target, first, bytes))!;
    expect(await readFile(target, "utf8")).toBe("the new picture");
    await rename(target, path.join(folder, "b.png"));
    expect(await replaceKnownFile(target, second, bytes)).toBeDefined();
    expect((await readdir(folder)).toSorted()).toEqual(["a.png", "b.png"]);
  });

  it("leaves another file, and one that was changed", async () => {
    const folder = await temporaryFolder();
    const target = path.join(folder, "a.png");
    const known = (await writeNewFile(target, bytes))!;
    await writeFile(target, "changed");
    expect(await replaceKnownFile(target, known, bytes)).toBeUndefined();
    await writeFile(path.join(folder, "other"), "the new picture");
    await rename(path.join(folder, "other"), target);
    expect(await replaceKnownFile(target, known, bytes)).toBeUndefined();
    expect(await readFile(target, "utf8")).toBe("the new picture");
    expect(await readdir(folder)).toEqual(["a.png"]);
  });
});
