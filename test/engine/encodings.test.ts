import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { EncodingCache, type EncodingKey, NOTHING_KEPT } from "../../src/engine/encodings.ts";

const KEY: EncodingKey = { encoder: "t5", read: [[1, 2]] };

/** Counts what is made. @param maxBytes of the cache */
function counting(maxBytes: number, idleMs?: number) {
  const cache = new EncodingCache(maxBytes, idleMs === undefined ? {} : { idleMs });
  const made: string[] = [];
  /** An encoding of `count` numbers. */
  const get = async (owner: string, key: EncodingKey, count = 1): Promise<Float32Array> =>
    cache.of(owner).get(key, async () => {
      made.push(owner);
      return new Float32Array(count).fill(made.length);
    });
  return { cache, made, get };
}

describe("encodings", () => {
  it("are made once for an owner, and again for every other", async () => {
    const { cache, made, get } = counting(1000);
    const first = await get("a", KEY);
    expect(await get("a", { ...KEY })).toBe(first);
    expect(await get("b", KEY)).not.toBe(first);
    expect(await get("", KEY)).not.toBe(first);
    expect(made).toEqual(["a", "b", ""]);
    expect(cache.counts).toEqual({ hits: 1, misses: 3, bytes: 12 });
  });

  it.each<[string, EncodingKey]>([
    ["another encoder", { ...KEY, encoder: "clip" }],
    ["other tokens", { ...KEY, read: [[1, 3]] }],
    ["the same tokens, cut otherwise", { ...KEY, read: [[1], [2]] }],
    ["another size", { ...KEY, read: [[1, 2], 64] }],
    ["an image", { ...KEY, bytes: Uint8Array.of(0) }],
  ])("are not found for %s", async (_, other) => {
    const { made, get } = counting(1000);
    await get("a", KEY);
    await get("a", other);
    expect(made).toHaveLength(2);
  });

  it("are told apart by every byte of an image, and by whose they are, whatever that is called", async () => {
    const { made, get } = counting(1000);
    await get("a", { ...KEY, bytes: Uint8Array.of(1, 2) });
    await get("a", { ...KEY, bytes: Uint8Array.of(1, 3) });
    await get('a","t5', { ...KEY, bytes: Uint8Array.of(1, 2) });
    expect(made).toHaveLength(3);
  });

  it("make room for newer ones, the one that was used longest ago first", async () => {
    const { cache, made, get } = counting(24);
    const of = (id: number): EncodingKey => ({ ...KEY, read: [id] });
    for (const [id, count] of [
      [1, 2],
      [2, 2],
      [1, 2],
      [3, 3],
    ] as const)
      await get("a", of(id), count);
    expect(cache.counts.bytes).toBe(20);
    await get("a", of(1), 2);
    expect(made).toHaveLength(3);
    await get("a", of(2), 2);
    expect(made).toHaveLength(4);
  });

  it("are not kept if they are too large alone, and leave the others", async () => {
    const { cache, made, get } = counting(8);
    await get("a", KEY);
    const large = { ...KEY, read: ["large"] };
    await get("a", large, 3);
    await get("a", large, 3);
    expect(made).toHaveLength(3);
    await get("a", KEY);
    expect(cache.counts).toEqual({ hits: 1, misses: 3, bytes: 4 });
  });

  it("are not kept where there is no room, or where nothing is to be kept", async () => {
    const { cache, made, get } = counting(0);
    await get("a", KEY);
    await get("a", KEY);
    expect(made).toHaveLength(2);
    expect(cache.counts.bytes).toBe(0);
    const make = vi.fn(async () => new Float32Array(1));
    await NOTHING_KEPT.get(KEY, make);
    await NOTHING_KEPT.get(KEY, make);
    expect(make).toHaveBeenCalledTimes(2);
  });

  it("give way to an edit that needs the memory", async () => {
    const { cache, get } = counting(100);
    await get("a", KEY, 10);
    await get("a", { ...KEY, read: [2] }, 10);
    expect(cache.fit(1000)).toBe(100);
    expect(cache.counts.bytes).toBe(80);
    expect(cache.fit(50)).toBe(50);
    expect(cache.counts.bytes).toBe(40);
    expect(cache.fit(-5)).toBe(0);
    expect(cache.counts.bytes).toBe(0);
  });

  it("remember no failure", async () => {
    const { cache, made, get } = counting(100);
    const fail = (): Promise<Float32Array> => Promise.reject(new Error("no"));
    await expect(cache.of("a").get(KEY, fail)).rejects.toThrow("no");
    await get("a", KEY);
    expect(made).toHaveLength(1);
  });
});

describe("encodings that nobody asks for", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it("are dropped after their time, counted from when they were last used", async () => {
    const { cache, get } = counting(100, 1000);
    await get("a", KEY);
    vi.advanceTimersByTime(600);
    await get("b", KEY);
    vi.advanceTimersByTime(100);
    await get("a", KEY);
    vi.advanceTimersByTime(950);
    // Of "b", 1,050 ms ago.
    expect(cache.counts.bytes).toBe(4);
    vi.advanceTimersByTime(100);
    expect(cache.counts.bytes).toBe(0);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("are dropped at once when all are", async () => {
    const { cache, get } = counting(100, 1000);
    await get("a", KEY);
    cache.clear();
    expect(cache.counts.bytes).toBe(0);
    expect(vi.getTimerCount()).toBe(0);
  });
});
