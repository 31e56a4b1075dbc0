import { link, mkdir, readdir, readFile, symlink, writeFile } from "node:fs/promises";
import path from "node:path";
import { expect, it } from "vitest";
import { sha256 } from "../../src/sha256.ts";
import { digestOfFile, makeFolder, nameStagedFile, stageFile } from "../../src/files/write-once.ts";
import { refusal } from "../support/refusal.ts";
import { temporaryFolder } from "../support/temporary.ts";

const bytes = Buffer.from("new");

async function staged(): Promise<{ folder: string; from: string; to: string }> {
  const folder = await temporaryFolder();
  const from = path.join(folder, ".staged.tmp");
  await stageFile(from, bytes);
  return { folder, from, to: path.join(folder, "a.png") };
}

it("gives a staged file its name once, and leaves nothing beside it", async () => {
  const { folder, from, to } = await staged();
  expect(await digestOfFile(from)).toBe(sha256("new"));
  expect(await nameStagedFile(from, to, { isReplacing: false })).toBe(true);
  expect(await readdir(folder)).toEqual(["a.png"]);
  expect(await readFile(to, "utf8")).toBe("new");
});

it("leaves what has the name as it is, unless it is to be replaced", async () => {
  const { folder, from, to } = await staged();
  await writeFile(to, "old");
  expect(await nameStagedFile(from, to, { isReplacing: false })).toBe(false);
  expect([await readFile(to, "utf8"), await readdir(folder)]).toEqual(["old", ["a.png"]]);
  await stageFile(from, bytes);
  expect(await nameStagedFile(from, to, { isReplacing: true })).toBe(true);
  expect([await readFile(to, "utf8"), await readdir(folder)]).toEqual(["new", ["a.png"]]);
});

it("takes a name that only a kill left unnoted: both names are one file", async () => {
  const { folder, from, to } = await staged();
  await link(from, to);
  expect(await nameStagedFile(from, to, { isReplacing: false })).toBe(false);
  expect([await readFile(to, "utf8"), await readdir(folder)]).toEqual(["new", ["a.png"]]);
});

it("replaces a symbolic link itself, and not the file that it leads to", async () => {
  const { folder, from, to } = await staged();
  const outside = path.join(await temporaryFolder(), "precious");
  await writeFile(outside, "old");
  await symlink(outside, to);
  expect(await digestOfFile(to)).toBeUndefined();
  expect(await nameStagedFile(from, to, { isReplacing: true })).toBe(true);
  expect([await readFile(outside, "utf8"), await readFile(to, "utf8")]).toEqual(["old", "new"]);
  expect(await readdir(folder)).toEqual(["a.png"]);
});

it("refuses in one sentence where a folder has the name", async () => {
  const { from, to } = await staged();
  await mkdir(to);
  await expect(nameStagedFile(from, to, { isReplacing: true })).rejects.toEqual(
    refusal("OUTPUT_UNWRITABLE", /a\.png cannot be written: it is a folder, not a file name\.$/),
  );
});

it("creates folders within folders, and finds those that are there", async () => {
  const folder = path.join(await temporaryFolder(), "a/b/c");
  await makeFolder(folder);
  await makeFolder(folder);
  expect(await readdir(folder)).toEqual([]);
});
