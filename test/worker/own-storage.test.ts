/** Our own storage as the engine process uses it, with one in memory that fails as the test says. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { RetouchError } from "../../src/errors.ts";
import { AttemptFailure } from "../../src/worker/failures.ts";
import { createOwnStorage, keepOwn, type OwnStorage, readOwn } from "../../src/worker/own-storage.ts";
import { refusal } from "../support/refusal.ts";

const KEY = `outputs/${"a".repeat(32)}.png`;
const BYTES = new Uint8Array(5000);

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function prepare() {
  const broken = { get: false, put: false, check: false };
  const objects = new Map<string, Uint8Array>();
  const probes: (number | undefined)[] = [];
  const calls = { get: 0, put: 0 };
  const fail = (name: keyof typeof broken): void => {
    if (broken[name]) throw new RetouchError("STORAGE_UNAVAILABLE", `No ${name}.`);
  };
  const storage = {
    async get(key: string) {
      calls.get += 1;
      fail("get");
      const bytes = objects.get(key);
      return bytes && { bytes, contentType: "image/png" };
    },
    async put(key: string, bytes: Uint8Array) {
      calls.put += 1;
      fail("put");
      objects.set(key, bytes);
    },
    delete: async (key: string) => void objects.delete(key),
    async check(bytes?: number) {
      probes.push(bytes);
      fail("check");
    },
  };
  const controller = new AbortController();
  return { broken, objects, probes, calls, storage, controller, signal: controller.signal };
}

const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);

describe("a source", () => {
  const read = (storage: OwnStorage, signal: AbortSignal) =>
    readOwn(storage, KEY, { field: "image", signal });

  it("is read, and is nothing where it is not there", async () => {
    const { storage, objects, signal } = prepare();
    expect(await read(storage, signal)).toBeUndefined();
    objects.set(KEY, BYTES);
    expect(await read(storage, signal)).toBe(BYTES);
  });

  it("ends in the failure of the storage as soon as a check says that it is away", async () => {
    const { storage, broken, calls, signal } = prepare();
    broken.get = broken.check = true;
    await expect(read(storage, signal)).rejects.toEqual(
      refusal("STORAGE_UNAVAILABLE", "image: the image cannot be read at the moment."),
    );
    expect(calls.get).toBe(1);
  });

  it("ends in it although the storage answers nothing", async () => {
    const { storage, broken, signal } = prepare();
    broken.check = true;
    storage.get = () => new Promise(() => {});
    const refused = expect(read(storage, signal)).rejects.toEqual(refusal("STORAGE_UNAVAILABLE", /^image: /));
    await pass(10_000);
    await refused;
    expect(vi.getTimerCount()).toBe(0);
  });

  it("may take its time where the storage works", async () => {
    const { storage, probes, signal } = prepare();
    storage.get = async () => {
      await new Promise((resolve) => setTimeout(resolve, 60_000));
      return { bytes: BYTES, contentType: "image/png" };
    };
    const reading = read(storage, signal);
    await pass(60_000);
    expect(await reading).toBe(BYTES);
    expect(probes).toHaveLength(1);
  });

  it("is read again while checks pass", async () => {
    const { storage, broken, objects, signal } = prepare();
    objects.set(KEY, BYTES);
    broken.get = true;
    const reading = read(storage, signal);
    await pass(600);
    broken.get = false;
    await pass(1000);
    expect(await reading).toBe(BYTES);
  });

  it("costs the attempt, and not the worker, where only it cannot be read", async () => {
    const { storage, broken, calls, signal } = prepare();
    broken.get = true;
    const reading = read(storage, signal);
    const refused = expect(reading).rejects.toEqual(
      new AttemptFailure("image: the image cannot be read at the moment."),
    );
    await pass(60_000);
    await refused;
    expect(calls.get).toBe(4);
  });

  it("is not waited for when the job is stopped", async () => {
    const { storage, broken, controller, signal } = prepare();
    broken.get = true;
    const reading = read(storage, signal);
    await pass(10);
    controller.abort();
    expect(await reading).toBeUndefined();
  });
});

describe("a result", () => {
  it("is tried again ever more seldom, for days", async () => {
    const { storage, broken, calls, objects, signal } = prepare();
    broken.put = true;
    const waits: string[] = [];
    const kept = keepOwn(storage, KEY, BYTES, { signal, onWaiting: (detail) => waits.push(detail) });
    for (const [seconds, tries] of [
      [0, 1],
      [1, 2],
      [2, 3],
      [4, 4],
      [8, 5],
      [16, 6],
      [30, 7],
      [30, 8],
    ] as const) {
      await pass(seconds * 1000);
      expect(calls.put).toBe(tries);
    }
    await pass(48 * 60 * 60_000);
    expect(waits).toHaveLength(calls.put);
    expect(waits[0]).toContain("No put.");
    broken.put = false;
    await pass(30_000);
    await kept;
    expect(objects.get(KEY)).toBe(BYTES);
  });

  it.each(["waits", "is being stored"])("is left when the job is stopped while it %s", async (state) => {
    const { storage, broken, objects, controller, signal } = prepare();
    broken.put = state === "waits";
    const put = storage.put;
    if (state !== "waits") storage.put = (key, bytes) => pass(0).then(() => put(key, bytes));
    const kept = keepOwn(storage, KEY, BYTES, { signal, onWaiting: () => {} });
    const refused = expect(kept).rejects.toEqual(refusal("ABORTED", "The job was cancelled."));
    controller.abort();
    await refused;
    broken.put = false;
    await pass(60_000);
    expect(objects.size).toBe(0);
  });
});

describe("every operation", () => {
  it("ends although the storage answers nothing, a check soonest", async () => {
    const never = (): Promise<never> => new Promise(() => {});
    const storage = createOwnStorage({ get: never, put: never, delete: never, check: never } as never);
    const work = [storage.check(), storage.get(KEY), storage.put(KEY, BYTES), storage.delete(KEY)];
    const ends = work.map((one) => expect(one).rejects.toThrow("The storage did not answer in"));
    await pass(15_000);
    await ends[0];
    await pass(85_000);
    await Promise.all(ends);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("that found no room is what the next check looks for, until something was stored", async () => {
    const { storage: inner, broken, probes } = prepare();
    const storage = createOwnStorage(inner as never);
    await storage.check();
    broken.put = true;
    await expect(storage.put(KEY, BYTES)).rejects.toThrow("No put.");
    await storage.check();
    broken.put = false;
    await storage.put(KEY, BYTES);
    await storage.check();
    expect(probes).toEqual([1, BYTES.byteLength, 1]);
  });
});
