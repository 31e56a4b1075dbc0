/** The cache where no links can be made, and what it says of a revision. */
import { lstatSync, readFileSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { findSnapshot, openCache } from "../../src/hub/cache.ts";
import type { HubFile } from "../../src/hub/listing.ts";
import { temporaryFolder } from "../support/temporary.ts";

const COMMIT = "f".repeat(40);
const FILE: HubFile = { path: "vae/config.json", size: 5, oid: "a".repeat(40), hash: "git-sha1" };
const noLinks = (): Promise<void> => Promise.reject(Object.assign(new Error("no links"), { code: "EPERM" }));

describe("a cache without links", () => {
  it.each([
    [true, "moves new bytes into the snapshot", false],
    [false, "copies bytes that another snapshot may use", true],
  ])("(new: %j) %s", async (isNew, _, isBlobLeft) => {
    const cache = openCache(await temporaryFolder(), "org/name", noLinks);
    await mkdir(path.dirname(cache.blob(FILE)), { recursive: true });
    await writeFile(cache.blob(FILE), "bytes");
    await cache.link(FILE, COMMIT, isNew);
    const place = path.join(cache.snapshot(COMMIT), FILE.path);
    expect(lstatSync(place).isSymbolicLink()).toBe(false);
    expect(readFileSync(place, "utf8")).toBe("bytes");
    expect([await cache.has(FILE, COMMIT), await cache.hasBlob(FILE)]).toEqual([true, isBlobLeft]);
  });
});

describe("findSnapshot", () => {
  it("follows a branch with slashes to its commit, and takes a commit as it is", async () => {
    const folder = await temporaryFolder();
    const cache = openCache(folder, "org/name");
    await cache.writeReference("refs/pr/1", COMMIT);
    const find = (revision: string): Promise<string | undefined> =>
      findSnapshot(folder, { name: "org/name", revision });
    expect(await find("refs/pr/1")).toBeUndefined();
    await mkdir(cache.snapshot(COMMIT), { recursive: true });
    expect(await find("refs/pr/1")).toBe(cache.snapshot(COMMIT));
    expect(await find(COMMIT)).toBe(cache.snapshot(COMMIT));
    expect(await find("main")).toBeUndefined();
  });

  it("does not follow a reference that is no commit", async () => {
    const folder = await temporaryFolder();
    await openCache(folder, "org/name").writeReference("main", "../../..");
    expect(await findSnapshot(folder, { name: "org/name", revision: "main" })).toBeUndefined();
  });
});
