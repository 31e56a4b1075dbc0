/** What only a folder can do wrong: permissions, a full disk, and what others leave in it. */
import { execFileSync } from "node:child_process";
import { chmod, mkdir, readdir, rename, rm, stat, symlink, utimes, writeFile } from "node:fs/promises";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { createLocalStorage } from "../../src/storage/local.ts";
import { createKey } from "../../src/storage/storage.ts";
import { binary, collect } from "../support/buckets.ts";
import { asOrdinaryUser, noPermissionsHere } from "../support/ordinary-user.ts";
import { refusal } from "../support/refusal.ts";
import { temporaryFolder } from "../support/temporary.ts";

const HOUR_MS = 60 * 60_000;

describe("local storage", () => {
  it("makes folders that nobody else can enter", async () => {
    const folder = path.join(await temporaryFolder(), "data", "files");
    await createLocalStorage(folder).prepare();
    for (const made of ["", "outputs", "inputs", "inline", "states"]) {
      expect((await stat(path.join(folder, made))).mode & 0o777, made).toBe(0o700);
    }
  });

  it("takes a folder that is not there for a disk that is not mounted: makes none, and neither denies nor deletes an image", async () => {
    const folder = path.join(await temporaryFolder(), "files");
    const storage = createLocalStorage(folder);
    const key = createKey("outputs", "png");
    const lost = async (): Promise<void> => {
      await expect(storage.get(key)).rejects.toEqual(
        refusal("STORAGE_UNAVAILABLE", "The image cannot be read: no such file or directory."),
      );
      await expect(storage.put(key, binary())).rejects.toEqual(
        refusal("OUTPUT_UNWRITABLE", "The image cannot be stored: no such file or directory."),
      );
      await expect(storage.check()).rejects.toEqual(refusal("STORAGE_UNAVAILABLE", /^RETOUCH_DATA_DIR: /));
      await expect(storage.delete(key)).rejects.toEqual(
        refusal("STORAGE_UNAVAILABLE", "The image cannot be deleted: no such file or directory."),
      );
      expect(await collect(storage.list("outputs"))).toEqual([]);
    };
    await lost();
    await expect(stat(folder)).rejects.toThrow("ENOENT");
    await storage.prepare();
    await storage.put(key, binary());
    // The folder of another file system, as when the disk that was mounted there has gone.
    await rename(folder, `${folder}-away`);
    await mkdir(folder);
    await lost();
    expect(await readdir(folder)).toEqual([]);
    await rm(folder, { recursive: true });
    await rename(`${folder}-away`, folder);
    expect(await storage.get(key)).toBeDefined();
    await storage.check();
  });

  it("lists no files but its own", async () => {
    const folder = await temporaryFolder();
    const storage = createLocalStorage(folder);
    await storage.prepare();
    const key = createKey("outputs", "png");
    await storage.put(key, binary());
    await writeFile(path.join(folder, "outputs/holiday.png"), "");
    await writeFile(path.join(folder, "outputs/.retouch-0123456789ab.tmp"), "");
    await symlink("/nonexistent", path.join(folder, createKey("outputs", "png")));
    expect((await collect(storage.list("outputs"))).map((entry) => entry.key)).toEqual([key]);
  });

  // S3 promises it of every object; of a folder, it is ours to keep.
  it("keeps writes to one key apart when they come at the same time", async () => {
    const storage = createLocalStorage(await temporaryFolder());
    await storage.prepare();
    const key = createKey("outputs", "png");
    const versions = Array.from({ length: 8 }, (_, index) => Buffer.alloc(100_000, index));
    await Promise.all(versions.map((bytes) => storage.put(key, bytes)));
    const found = Buffer.from((await storage.get(key))!.bytes);
    expect(versions.some((bytes) => bytes.equals(found))).toBe(true);
  });

  it("removes at its check what a process that was killed had begun long ago, and nothing that may go on", async () => {
    const folder = await temporaryFolder();
    const storage = createLocalStorage(folder);
    await storage.prepare();
    const [old, young, foreign] = [".retouch-0123456789ab.tmp", ".retouch-ba9876543210.tmp", "holiday.tmp"];
    for (const name of [old, young, foreign]) await writeFile(path.join(folder, "outputs", name), "half");
    const before = new Date(Date.now() - 2 * HOUR_MS);
    for (const name of [old, foreign]) await utimes(path.join(folder, "outputs", name), before, before);
    await storage.check();
    expect((await readdir(path.join(folder, "outputs"))).toSorted()).toEqual([young, foreign].toSorted());
  });

  it("says in one sentence that the disk is full, and leaves nothing half-written", async (context) => {
    const folder = await temporaryFolder();
    const storage = createLocalStorage(folder);
    try {
      execFileSync("mount", ["-t", "tmpfs", "-o", "size=256k", "tmpfs", folder], { stdio: "ignore" });
    } catch {
      return context.skip("mounting a file system needs root");
    }
    try {
      await storage.prepare();
      const small = createKey("outputs", "png");
      await storage.put(small, binary());
      await expect(storage.put(createKey("outputs", "png"), new Uint8Array(1_000_000))).rejects.toEqual(
        refusal("DISK_FULL", "The image cannot be stored: the disk is full."),
      );
      // A check finds room for a byte, and none for as much as was refused.
      await storage.check();
      await expect(storage.check(1_000_000)).rejects.toEqual(
        refusal("STORAGE_UNAVAILABLE", /cannot be used: the disk is full\.$/),
      );
      expect(await readdir(path.join(folder, "outputs"))).toEqual([path.basename(small)]);
      expect(await storage.get(small)).toBeDefined();
    } finally {
      execFileSync("umount", [folder]);
    }
  });

  it("says what it may not do, without telling where its folder lies", async ({ skip }) => {
    if (noPermissionsHere) return skip(noPermissionsHere);
    const folder = await temporaryFolder();
    const storage = createLocalStorage(folder);
    const key = createKey("outputs", "png");
    await mkdir(path.join(folder, "outputs"), { mode: 0o700 });
    await writeFile(path.join(folder, key), "a picture");
    await chmod(folder, 0o755);
    await asOrdinaryUserOfNothing(folder, async () => {
      await expect(storage.put(key, binary())).rejects.toEqual(
        refusal("OUTPUT_UNWRITABLE", "The image cannot be stored: permission is denied."),
      );
      await expect(storage.get(key)).rejects.toEqual(
        refusal("STORAGE_UNAVAILABLE", "The image cannot be read: permission denied."),
      );
      await expect(storage.delete(key)).rejects.toEqual(
        refusal("STORAGE_UNAVAILABLE", "The image cannot be deleted: permission denied."),
      );
    });
  });

  it("names its setting and its folder where it cannot be used, for the operator", async () => {
    const folder = path.join(await temporaryFolder(), "taken");
    await writeFile(folder, "");
    await expect(createLocalStorage(folder).prepare()).rejects.toEqual(
      refusal("STORAGE_UNAVAILABLE", /^RETOUCH_DATA_DIR: .*taken cannot be used: [a-z ]+\.$/),
    );
    await expect(createLocalStorage(folder).put(createKey("outputs", "png"), binary())).rejects.toEqual(
      refusal("OUTPUT_UNWRITABLE", "The image cannot be stored: not a directory."),
    );
  });
});

/** As somebody who may not enter the folders of kinds. */
async function asOrdinaryUserOfNothing(folder: string, action: () => Promise<void>): Promise<void> {
  const outputs = path.join(folder, "outputs");
  // Whoever owns the folder is kept out as well, where the tests do not run as root.
  await chmod(outputs, 0);
  try {
    await asOrdinaryUser(action);
  } finally {
    await chmod(outputs, 0o700);
  }
}
