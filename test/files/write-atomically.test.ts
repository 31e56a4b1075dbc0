import {
  chmod,
  mkdir,
  mkdtemp,
  open,
  readFile,
  readdir,
  rm,
  stat,
  symlink,
  writeFile,
} from "node:fs/promises";
import { existsSync } from "node:fs";
import { execFileSync } from "node:child_process";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { checkWritable, writeFileAtomically } from "../../src/files/write-atomically.ts";
import { asOrdinaryUser, noPermissionsHere } from "../support/ordinary-user.ts";

const bytes = new TextEncoder().encode("the new picture");
let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "retouch-files-"));
});
afterEach(async () => {
  vi.restoreAllMocks();
  await rm(folder, { recursive: true, force: true });
});

describe("writeFileAtomically", () => {
  it("writes a new file and leaves nothing else behind", async () => {
    await writeFileAtomically(path.join(folder, "a.png"), bytes);
    expect(await readdir(folder)).toEqual(["a.png"]);
    expect(new Uint8Array(await readFile(path.join(folder, "a.png")))).toEqual(bytes);
  });

  it("creates missing parent folders", async () => {
    const target = path.join(folder, "out/today/a.png");
    await writeFileAtomically(target, bytes);
    expect(await readFile(target, "utf8")).toBe("the new picture");
  });

  it("replaces a file and keeps its permissions", async () => {
    const target = path.join(folder, "a.png");
    await writeFile(target, "the old picture, which is longer");
    await chmod(target, 0o640);
    await writeFileAtomically(target, bytes);
    expect(await readFile(target, "utf8")).toBe("the new picture");
    expect((await stat(target)).mode & 0o777).toBe(0o640);
  });

  it("follows a symbolic link to the file that it stands for", async () => {
    await mkdir(path.join(folder, "real"));
    await writeFile(path.join(folder, "real/a.png"), "old");
    await symlink("real/a.png", path.join(folder, "link.png"));
    await writeFileAtomically(path.join(folder, "link.png"), bytes);
    expect(await readFile(path.join(folder, "real/a.png"), "utf8")).toBe("the new picture");
    expect(await readdir(path.join(folder, "real"))).toEqual(["a.png"]);
  });

  it("takes the longest name that the file system allows", async () => {
    const name = `${"n".repeat(251)}.png`;
    await writeFileAtomically(path.join(folder, name), bytes);
    expect(await readdir(folder)).toEqual([name]);
  });

  it("writes to a device as it is, and reports that it is full", async ({ skip }) => {
    skip(!existsSync("/dev/full"), "another operating system: this one has no /dev/full");
    await expectUnwritable("/dev/full", "/dev/full cannot be written: the disk is full.");
    await writeFileAtomically("/dev/null", bytes);
    expect((await stat("/dev/null")).isCharacterDevice()).toBe(true);
  });

  it.each([
    ["a folder", () => folder, "it is a folder, not a file name"],
    ["a name that ends in a slash", () => `${folder}/new/`, "it is a folder, not a file name"],
    ["a name that is too long", () => path.join(folder, "n".repeat(300)), "its name is too long"],
  ])("refuses %s", async (_, target, reason) => {
    await expectUnwritable(target(), `${target()} cannot be written: ${reason}.`);
    expect(await readdir(folder)).toEqual([]);
  });

  it("refuses a folder that is a file, at any depth", async () => {
    await writeFile(path.join(folder, "file"), "");
    for (const target of ["file/a.png", "file/deeper/a.png"]) {
      const full = path.join(folder, target);
      const sentence = `${full} cannot be written: a part of its path is a file, not a folder.`;
      await expectUnwritable(full, sentence);
    }
  });

  it.each([
    ["the disk is full", "ENOSPC", "writeFile", "the disk is full"],
    ["the last bytes do not reach the disk", "ENOSPC", "sync", "the disk is full"],
    ["a quota is used up", "EDQUOT", "writeFile", "the disk quota is used up"],
    ["the disk fails", "EIO", "writeFile", "i/o error"],
  ] as const)("keeps the old file and removes its own when %s", async (_, code, method, reason) => {
    const target = path.join(folder, "a.png");
    await writeFile(target, "the old picture");
    await failOnce(method, code);
    await expectUnwritable(target, `${target} cannot be written: ${reason}.`);
    expect(await readdir(folder)).toEqual(["a.png"]);
    expect(await readFile(target, "utf8")).toBe("the old picture");
  });

  it("keeps the old file on a file system that is really full", async (context) => {
    const small = await mountSmall(folder);
    if (small === undefined) return context.skip("mounting a file system needs root");
    try {
      const target = path.join(small.folder, "a.png");
      await writeFileAtomically(target, bytes);
      await expectUnwritable(
        target,
        `${target} cannot be written: the disk is full.`,
        new Uint8Array(1_000_000),
      );
      expect(await readdir(small.folder)).toEqual(["a.png"]);
      expect(await readFile(target, "utf8")).toBe("the new picture");
    } finally {
      small.unmount();
    }
  });

  it("refuses a read-only file system", async (context) => {
    const small = await mountSmall(folder, "ro");
    if (small === undefined) return context.skip("mounting a file system needs root");
    try {
      const target = path.join(small.folder, "a.png");
      await expectUnwritable(target, `${target} cannot be written: the file system is read-only.`);
    } finally {
      small.unmount();
    }
  });

  it("refuses a folder without permission", async ({ skip }) => {
    if (noPermissionsHere) return skip(noPermissionsHere);
    await chmod(folder, 0o555);
    await asOrdinaryUser(() => expectUnwritable(path.join(folder, "a.png"), /permission is denied/));
    await chmod(folder, 0o700);
  });
});

describe("checkWritable", () => {
  it("leaves an existing file and the folder as they are", async () => {
    await writeFile(path.join(folder, "a.png"), "old");
    await checkWritable(path.join(folder, "a.png"));
    await checkWritable(path.join(folder, "b.png"));
    expect(await readdir(folder)).toEqual(["a.png"]);
    expect(await readFile(path.join(folder, "a.png"), "utf8")).toBe("old");
  });

  it("refuses what writeFileAtomically would refuse, in the same words", async () => {
    await writeFile(path.join(folder, "file"), "");
    for (const target of [folder, path.join(folder, "file/a.png"), "", "/proc/a.png"]) {
      const error = await writeFileAtomically(target, bytes).catch((thrown: Error) => thrown);
      await expect(checkWritable(target)).rejects.toThrow((error as Error).message);
    }
  });
});

async function expectUnwritable(target: string, message: string | RegExp, content = bytes): Promise<void> {
  const error = await writeFileAtomically(target, content).then(
    () => expect.fail("it was written"),
    (thrown) => thrown,
  );
  expect(error.code).toBe("OUTPUT_UNWRITABLE");
  if (typeof message === "string") expect(error.message).toBe(message);
  else expect(error.message).toMatch(message);
}

/** Makes the next write or sync of any file fail, after half of the bytes. */
async function failOnce(method: "writeFile" | "sync", code: string): Promise<void> {
  const handle = await open(path.join(folder, "a.png"));
  const prototype = Object.getPrototypeOf(handle);
  await handle.close();
  vi.spyOn(prototype, method).mockImplementationOnce(async function (this: typeof handle) {
    await this.write(bytes, 0, bytes.length >> 1);
    const text = code === "EIO" ? "i/o error" : `${code}: write`;
    throw Object.assign(new Error(text), { code });
  });
}

async function mountSmall(
  parent: string,
  option = "rw",
): Promise<{ folder: string; unmount: () => void } | undefined> {
  const mounted = path.join(parent, "small");
  await mkdir(mounted);
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", `size=64k,${option}`, "tmpfs", mounted], { stdio: "ignore" });
  } catch {
    return undefined;
  }
  return { folder: mounted, unmount: () => void execFileSync("umount", [mounted]) };
}
