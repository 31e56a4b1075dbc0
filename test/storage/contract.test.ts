/** What both storages promise, on a folder and on a real S3 server. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createLocalStorage } from "../../src/storage/local.ts";
import { createS3Storage } from "../../src/storage/s3.ts";
import { createKey, OBJECT_KINDS, isKey, type Storage } from "../../src/storage/storage.ts";
import { createSweeper } from "../../src/storage/sweeper.ts";
import { binary, bucketOf, collect } from "../support/buckets.ts";
import { startS3Server } from "../support/s3-server.ts";

interface Place {
  storage: Storage;
  close(): Promise<void>;
}

const PLACES: Readonly<Record<string, () => Promise<Place>>> = {
  async "a folder"() {
    const folder = await mkdtemp(path.join(tmpdir(), "retouch-storage-"));
    return {
      storage: createLocalStorage(path.join(folder, "files")),
      close: () => rm(folder, { recursive: true, force: true }),
    };
  },
  async "an S3 server"() {
    const server = await startS3Server();
    return { storage: createS3Storage(bucketOf(server), "retouch/"), close: server.close };
  },
};

const NO_KEYS = [
  "",
  "outputs/",
  "outputs/a.png",
  "../secret.png",
  "outputs/../../etc/passwd",
  `outputs/../${"a".repeat(32)}.png`,
  `outputs/${"a".repeat(32)}.png/..`,
  `outputs/${"a".repeat(32)}.exe`,
  `outputs/${"a".repeat(32)}.png\n`,
  `outputs/${"a".repeat(31)}\0.png`,
  `outputs/${"ä".repeat(32)}.png`,
  `outputs\\${"a".repeat(32)}.png`,
  `/outputs/${"a".repeat(32)}.png`,
  `others/${"a".repeat(32)}.png`,
  `outputs/%2e%2e%2f${"a".repeat(23)}.png`,
];

describe.each(Object.entries(PLACES))("storage in %s", (_, open) => {
  let place: Place | undefined;
  let storage: Storage;
  beforeAll(async () => {
    place = await open();
    storage = place.storage;
    await storage.prepare();
  });
  afterAll(() => place?.close());

  it("lists nothing before anything was stored", async () => {
    expect(await collect(storage.list("outputs"))).toEqual([]);
  });

  it("shows that it can be used, and leaves nothing behind", async () => {
    await storage.check();
    for (const kind of OBJECT_KINDS) expect(await collect(storage.list(kind))).toEqual([]);
  });

  it.each([
    ["png", "image/png"],
    ["jpeg", "image/jpeg"],
    ["bin", "application/octet-stream"],
  ] as const)("gives a .%s back byte for byte, as %s", async (extension, contentType) => {
    const key = createKey("outputs", extension);
    const bytes = binary();
    await storage.put(key, bytes);
    const found = await storage.get(key);
    expect(found?.contentType).toBe(contentType);
    expect(Buffer.from(found!.bytes).equals(bytes)).toBe(true);
  });

  it("keeps pictures of several megabytes, and of no bytes at all", async () => {
    for (const bytes of [binary(8 * 1024 * 1024), new Uint8Array()]) {
      const key = createKey("inputs", "bin");
      await storage.put(key, bytes);
      expect(Buffer.from((await storage.get(key))!.bytes).equals(bytes)).toBe(true);
      await storage.delete(key);
    }
  });

  it("stores the part of a larger buffer that it was given", async () => {
    const key = createKey("outputs", "png");
    await storage.put(key, binary().subarray(10, 20));
    expect([...(await storage.get(key))!.bytes]).toEqual([10, 11, 12, 13, 14, 15, 16, 17, 18, 19]);
  });

  it("has the last of several versions", async () => {
    const key = createKey("outputs", "png");
    await storage.put(key, Buffer.from("the first and longer one"));
    await storage.put(key, Buffer.from("second"));
    expect(Buffer.from((await storage.get(key))!.bytes).toString()).toBe("second");
  });

  it("stores many at the same time", async () => {
    const keys = Array.from({ length: 20 }, () => createKey("inputs", "bin"));
    await Promise.all(keys.map((key) => storage.put(key, Buffer.from(key))));
    for (const key of keys) expect(Buffer.from((await storage.get(key))!.bytes).toString()).toBe(key);
    await Promise.all(keys.map((key) => storage.delete(key)));
    expect(await collect(storage.list("inputs"))).toEqual([]);
  });

  it("has nothing under a key that was never stored or was deleted, and deletes it again without complaint", async () => {
    const key = createKey("outputs", "png");
    expect(await storage.get(key)).toBeUndefined();
    await storage.put(key, binary());
    await storage.delete(key);
    await storage.delete(key);
    expect(await storage.get(key)).toBeUndefined();
  });

  it("lists one kind with its times", async () => {
    const [input, output] = [createKey("inputs", "bin"), createKey("outputs", "jpeg")];
    await storage.put(input, binary());
    await storage.put(output, binary());
    const [entry, ...others] = await collect(storage.list("inputs"));
    expect([entry?.key, others]).toEqual([input, []]);
    // S3 gives whole seconds.
    expect(Math.abs(entry!.modifiedAt.getTime() - Date.now())).toBeLessThan(60_000);
    expect((await collect(storage.list("outputs"))).map(({ key }) => key)).toContain(output);
    await storage.delete(input);
  });

  it.each(NO_KEYS)("refuses %j everywhere", async (key) => {
    expect(isKey(key)).toBe(false);
    await expect(storage.put(key, binary())).rejects.toThrow("Not a key");
    await expect(storage.get(key)).rejects.toThrow("Not a key");
    await expect(storage.delete(key)).rejects.toThrow("Not a key");
  });

  it("tells the time by which it stamps, and leaves nothing behind", async () => {
    const before = Date.now();
    const time = (await storage.readClock()).getTime();
    // S3 counts whole seconds, and a file system the ticks of its own clock.
    expect(time).toBeGreaterThan(before - 1100);
    expect(time).toBeLessThan(Date.now() + 1100);
    expect(await collect(storage.list("inputs"))).toEqual([]);
  });

  it("loses to a sweep what is older than its life, of each kind by its own, and nothing else", async () => {
    const [input, output] = [createKey("inputs", "bin"), createKey("outputs", "png")];
    await storage.put(input, binary());
    await storage.put(output, binary());
    const sweepAfter = (minutes: number): Promise<number> =>
      createSweeper({
        storage,
        lifetimeMs: 60 * 60_000,
        findNeeded: async () => new Set<string>(),
        inputLifetimeMs: 120 * 60_000,
        onError: raise,
        now: () => Date.now() + minutes * 60_000,
      }).run();
    expect(await sweepAfter(59)).toBe(0);
    expect(await sweepAfter(65)).toBeGreaterThan(0);
    expect([await storage.get(output), await collect(storage.list("outputs"))]).toEqual([undefined, []]);
    expect(await storage.get(input)).toBeDefined();
    expect(await sweepAfter(125)).toBe(1);
    expect(await storage.get(input)).toBeUndefined();
  });
});

describe("createKey", () => {
  it("never makes a key twice, and each is one", () => {
    const keys = Array.from({ length: 1000 }, () => createKey("outputs", "png"));
    expect(new Set(keys).size).toBe(1000);
    for (const key of keys) expect(isKey(key), key).toBe(true);
  });
});

function raise(error: unknown): never {
  throw error;
}
