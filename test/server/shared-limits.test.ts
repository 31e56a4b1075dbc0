/** Limits that several servers hold together, over what the database gives out, here in memory. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Allowances } from "../../src/jobs/allowances.ts";
import { createCallPlaces } from "../../src/server/call-places.ts";
import { createCallRate } from "../../src/server/call-rates.ts";

const WINDOW_MS = 10_000;
const PATIENCE = { timeout: 60_000 };

/** One window and one set of places, and how often each was asked. */
function createShared() {
  let used = 0;
  let others = 0;
  const shared = {
    asked: 0,
    outage: false,
    async takeCalls(_key: string, _name: string, { wanted, limit }: { wanted: number; limit: number }) {
      shared.asked += 1;
      await Promise.resolve();
      if (shared.outage) throw new Error("The database is away.");
      const granted = Math.max(0, Math.min(wanted, limit - used));
      used += granted;
      return { granted, endsInMs: WINDOW_MS - performance.now() };
    },
    async holdPlaces(
      _key: string,
      _name: string,
      { held, wanted, limit }: { held: number; wanted: number; limit: number },
    ) {
      shared.asked += 1;
      await Promise.resolve();
      if (shared.outage) throw new Error("The database is away.");
      const places = Math.max(Math.min(held, wanted), Math.min(wanted, limit - (others - held)));
      others += places - held;
      return places;
    },
    held: () => others,
  };
  return shared satisfies Omit<Allowances, "renewPlaces"> & object;
}

beforeEach(() => void vi.useFakeTimers({ toFake: ["performance"] }));
afterEach(() => void vi.useRealTimers());

describe("a rate", () => {
  const rateOf = (limit: number, shared = createShared()) =>
    createCallRate({ name: "run", windowMs: WINDOW_MS, limit: () => limit, shared });
  const countOf = async (rates: ReturnType<typeof rateOf>[], calls: number): Promise<number> => {
    const all = await Promise.all(
      Array.from({ length: calls }, (_, at) => rates[at % rates.length]!.count("key-one")),
    );
    return all.filter((excess) => excess === undefined).length;
  };

  it.each([2, 10, 100])("of %d is held exactly by two servers", async (limit) => {
    const shared = createShared();
    expect(await countOf([rateOf(limit, shared), rateOf(limit, shared)], 3 * limit)).toBe(limit);
  });

  it("asks the database for twentieths, and not for calls that are refused", async () => {
    const shared = createShared();
    const rate = rateOf(100, shared);
    expect(await countOf([rate], 60)).toBe(60);
    expect(shared.asked).toBe(12);
    expect(await countOf([rate], 100)).toBe(40);
    const { asked } = shared;
    expect(await rate.count("key-one")).toEqual({ limit: 100, waitMs: WINDOW_MS });
    expect(shared.asked).toBe(asked);
  });

  it("passes on that the database is away, and counts again when it is back", async () => {
    const shared = createShared();
    const rate = rateOf(2, shared);
    shared.outage = true;
    await expect(rate.count("key-one")).rejects.toThrow("The database is away.");
    shared.outage = false;
    expect(await countOf([rate], 3)).toBe(2);
  });

  it("counts for itself where there is one server, asking nobody", async () => {
    const rate = createCallRate({ name: "run", windowMs: WINDOW_MS, limit: () => 3 });
    expect(await countOf([rate], 5)).toBe(3);
    vi.advanceTimersByTime(WINDOW_MS + 1);
    expect(await countOf([rate], 5)).toBe(3);
  });
});

describe("the places of calls at the same time", () => {
  const placesOf = (limit: number, shared = createShared()) => {
    const errors: unknown[] = [];
    const onError = (error: unknown): void => void errors.push(error);
    return { ...createCallPlaces({ name: "run", limit, shared, onError }), shared, errors };
  };
  const enterAll = async (servers: Pick<ReturnType<typeof placesOf>, "enter">[], calls: number) =>
    (
      await Promise.all(
        Array.from({ length: calls }, (_, at) => servers[at % servers.length]!.enter("key-one")),
      )
    ).filter((leave) => leave !== undefined);

  it.each([2, 10, 100])("of %d are held exactly by two servers", async (limit) => {
    const one = placesOf(limit);
    const entered = await enterAll([one, placesOf(limit, one.shared)], 3 * limit);
    expect(entered).toHaveLength(limit);
  });

  it("of a few are another server's as soon as a call ends", async () => {
    const one = placesOf(2);
    const other = placesOf(2, one.shared);
    const [first] = await enterAll([one], 2);
    expect(await other.enter("key-one")).toBeUndefined();
    first!();
    await vi.waitFor(() => expect(one.shared.held()).toBe(1), PATIENCE);
    vi.advanceTimersByTime(101);
    expect(await other.enter("key-one")).toBeDefined();
  });

  it("of many are kept for a while, and then given back", async () => {
    const one = placesOf(100);
    const leaves = await enterAll([one], 60);
    expect(one.shared.held()).toBe(60);
    for (const leave of leaves) leave();
    await one.giveBack();
    expect(one.shared.held()).toBe(60);
    vi.advanceTimersByTime(10_001);
    await one.giveBack();
    // They were needed in that time.
    expect(one.shared.held()).toBe(60);
    vi.advanceTimersByTime(10_001);
    await one.giveBack();
    expect(one.shared.held()).toBe(0);
    expect(await enterAll([one], 1)).toHaveLength(1);
  });

  it("that are refused cost no query each", async () => {
    const one = placesOf(2);
    await enterAll([one], 2);
    await one.enter("key-one");
    const { asked } = one.shared;
    for (let count = 0; count < 50; count += 1) expect(await one.enter("key-one")).toBeUndefined();
    expect(one.shared.asked).toBe(asked);
  });

  it("stay what they were where the database is away", async () => {
    const one = placesOf(2);
    const [leave] = await enterAll([one], 1);
    one.shared.outage = true;
    await expect(one.enter("key-one")).rejects.toThrow("The database is away.");
    leave!();
    await vi.waitFor(() => expect(one.errors).toHaveLength(1), PATIENCE);
    one.shared.outage = false;
    expect(await enterAll([one], 5)).toHaveLength(2);
  });
});
