/** When a sweep runs and what it does about failures; what it deletes is in the storages' contract. */
import { afterEach, describe, expect, it, vi } from "vitest";
import { createKey, type ObjectKind, type Storage } from "../../src/storage/storage.ts";
import { createSweeper, type SweeperOptions } from "../../src/storage/sweeper.ts";

const DAY_MS = 24 * 60 * 60_000;
const start = Date.parse("2026-01-01T00:00:00Z");

/** A storage in memory, of which any method may be replaced. */
function memory(changes: Partial<Storage> = {}): { storage: Storage; objects: Map<string, Date> } {
  const objects = new Map<string, Date>();
  const storage: Storage = {
    put: async (key) => void objects.set(key, new Date()),
    get: async () => undefined,
    delete: async (key) => void objects.delete(key),
    async *list(kind: ObjectKind) {
      for (const [key, modifiedAt] of objects) if (key.startsWith(kind)) yield { key, modifiedAt };
    },
    readClock: async () => new Date(start),
    prepare: async () => {},
    check: async () => {},
    ...changes,
  };
  return { storage, objects };
}

function sweeperOf(storage: Storage, changes: Partial<SweeperOptions> = {}) {
  const errors: unknown[] = [];
  const findNeeded = async (): Promise<ReadonlySet<string>> => new Set();
  const options = {
    storage,
    findNeeded,
    lifetimeMs: DAY_MS,
    intervalMs: 60_000,
    now: () => start,
    ...changes,
  };
  return { sweeper: createSweeper({ ...options, onError: (error) => errors.push(error) }), errors };
}

afterEach(() => {
  vi.useRealTimers();
});

describe("the sweeper", () => {
  it("counts age by the clock that stamps the files, whatever this machine's says", async () => {
    vi.useFakeTimers({ now: start + 9 * DAY_MS, toFake: ["Date"] });
    const { storage, objects } = memory();
    const [due, young] = [createKey("inputs", "bin"), createKey("inputs", "bin")];
    objects.set(due, new Date(start - 2 * DAY_MS)).set(young, new Date(start));
    expect(await sweeperOf(storage, { now: undefined }).sweeper.run()).toBe(1);
    expect([...objects.keys()]).toEqual([young]);
  });

  it("counts by its own clock where the storage takes nothing to tell the time by, as a full disk", async () => {
    const refuse = () => Promise.reject(new Error("The disk is full."));
    const { storage, objects } = memory({ readClock: refuse });
    objects.set(createKey("outputs", "png"), new Date(Date.now() - 2 * DAY_MS));
    expect(await sweeperOf(storage, { now: undefined }).sweeper.run()).toBe(1);
  });

  it("gives a result a minute beyond its life, for addresses that were signed after it was written", async () => {
    const { storage, objects } = memory();
    const [due, kept] = [createKey("outputs", "png"), createKey("outputs", "png")];
    objects.set(due, new Date(start - DAY_MS - 60_001)).set(kept, new Date(start - DAY_MS - 59_999));
    expect(await sweeperOf(storage).sweeper.run()).toBe(1);
    expect([...objects.keys()]).toEqual([kept]);
  });

  it.each([
    ["a source", "inputs"],
    ["a result without an address", "inline"],
  ] as const)(
    "keeps %s for a day where nothing else is said, and for as long as a job needs it",
    async (_, kind) => {
      const { storage, objects } = memory();
      const due = Array.from({ length: 250 }, () => createKey(kind, "bin"));
      const [needed, young] = [createKey(kind, "bin"), createKey(kind, "bin")];
      for (const key of [...due, needed]) objects.set(key, new Date(start - DAY_MS - 60_001));
      objects.set(young, new Date(start - DAY_MS - 59_999));
      const findNeeded = async (keys: readonly string[]) => new Set(keys.filter((key) => key === needed));
      expect(await sweeperOf(storage, { findNeeded }).sweeper.run()).toBe(250);
      expect([...objects.keys()]).toEqual([needed, young]);
    },
  );

  it("keeps a state for an hour where nothing else is said, and for as long as a job needs it", async () => {
    const { storage, objects } = memory();
    const [due, needed, young] = [1, 2, 3].map(() => createKey("states", "bin")) as [string, string, string];
    for (const key of [due, needed]) objects.set(key, new Date(start - 60 * 60_000 - 60_001));
    objects.set(young, new Date(start - 60 * 60_000 - 59_999));
    const findNeeded = async (keys: readonly string[]) => new Set(keys.filter((key) => key === needed));
    expect(await sweeperOf(storage, { findNeeded }).sweeper.run()).toBe(1);
    expect([...objects.keys()]).toEqual([needed, young]);
  });

  it("deletes nothing while nobody can say what is needed", async () => {
    const { storage, objects } = memory();
    objects.set(createKey("inputs", "bin"), new Date(0)).set(createKey("outputs", "png"), new Date(0));
    const findNeeded = () => Promise.reject(new Error("The database is away."));
    const { sweeper, errors } = sweeperOf(storage, { findNeeded });
    expect(await sweeper.run()).toBe(0);
    expect(errors).toEqual([new Error("The database is away."), new Error("The database is away.")]);
    expect(objects.size).toBe(2);
  });

  it("keeps a result whose address is good, however old its file seems to be", async () => {
    const { storage, objects } = memory();
    const [needed, other] = [createKey("outputs", "png"), createKey("outputs", "png")];
    objects.set(needed, new Date(0)).set(other, new Date(0));
    const findNeeded = async (keys: readonly string[]) => new Set(keys.filter((key) => key === needed));
    expect(await sweeperOf(storage, { findNeeded }).sweeper.run()).toBe(1);
    expect([...objects.keys()]).toEqual([needed]);
  });

  it("deletes nothing while the clock cannot be trusted, and does so later", async () => {
    const { storage, objects } = memory();
    objects.set(createKey("outputs", "png"), new Date(0));
    let isTrusted = false;
    const { sweeper } = sweeperOf(storage, { mayDelete: () => isTrusted });
    expect(await sweeper.run()).toBe(0);
    isTrusted = true;
    expect(await sweeper.run()).toBe(1);
  });

  it("goes on after an object that cannot be deleted, and after a kind that cannot be listed", async () => {
    const { storage, objects } = memory();
    const keys = [createKey("outputs", "png"), createKey("outputs", "png"), createKey("inputs", "bin")];
    for (const key of keys) objects.set(key, new Date(0));
    const remove = storage.delete;
    storage.delete = (key) => (key === keys[0] ? Promise.reject(new Error("locked")) : remove(key));
    const first = sweeperOf(storage);
    expect(await first.sweeper.run()).toBe(2);
    expect([...objects.keys()]).toEqual([keys[0]]);
    expect(first.errors).toEqual([new Error("locked")]);

    objects.set(keys[2]!, new Date(0));
    const list = storage.list;
    storage.list = (kind) => {
      if (kind === "outputs") throw new Error("gone");
      return list(kind);
    };
    const second = sweeperOf(storage);
    expect(await second.sweeper.run()).toBe(1);
    expect(second.errors).toEqual([new Error("gone")]);
  });

  it("sweeps at its start and then at every interval, however often it is started, until it is stopped", async () => {
    vi.useFakeTimers();
    const list = vi.fn(async function* () {});
    const { sweeper } = sweeperOf(memory({ list }).storage);
    sweeper.start();
    sweeper.start();
    await vi.advanceTimersByTimeAsync(0);
    expect(list).toHaveBeenCalledTimes(4); // one sweep of four kinds
    await vi.advanceTimersByTimeAsync(120_000);
    expect(list).toHaveBeenCalledTimes(12);
    await sweeper.stop();
    await sweeper.stop();
    await vi.advanceTimersByTimeAsync(600_000);
    expect(list).toHaveBeenCalledTimes(12);
    sweeper.start();
    await vi.advanceTimersByTimeAsync(0);
    expect(list).toHaveBeenCalledTimes(16);
    await sweeper.stop();
  });

  it("runs once at a time: whoever asks in between waits for the sweep under way", async () => {
    const { storage, objects } = memory();
    objects.set(createKey("outputs", "png"), new Date(0));
    const { sweeper } = sweeperOf(storage);
    expect(await Promise.all([sweeper.run(), sweeper.run()])).toEqual([1, 1]);
    expect(await sweeper.run()).toBe(0);
  });

  it("stops after the object at hand, and has finished when it says so", async () => {
    const { storage, objects } = memory();
    for (let count = 0; count < 10; count += 1) objects.set(createKey("outputs", "png"), new Date(0));
    const remove = storage.delete;
    let release = (): void => {};
    storage.delete = async (key) => {
      await new Promise<void>((resolve) => (release = resolve));
      await remove(key);
    };
    const { sweeper } = sweeperOf(storage);
    sweeper.start();
    await vi.waitFor(() => expect(release).not.toThrow());
    await new Promise(setImmediate);
    const stopped = sweeper.stop();
    release();
    await stopped;
    expect(objects.size).toBe(9);
  });
});
