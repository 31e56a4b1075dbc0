/** When states are kept, by a clock that the test moves, and what becomes of those that nobody will ask for. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { OfferedState } from "../../src/engine/edit-states.ts";
import type { KeptState } from "../../src/jobs/job.ts";
import { createStateKeeper, type StateKeeperOptions } from "../../src/worker/state-keeper.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const pass = (ms: number): Promise<unknown> => vi.advanceTimersByTimeAsync(ms);
const sleep = (ms: number): Promise<void> => new Promise((resolve) => void setTimeout(resolve, ms));

/** @param options.putMs how long the storage takes */
function prepare({ putMs = 100, ...options }: Options = {}) {
  const kept: KeptState[] = [];
  const errors: string[] = [];
  const stored = new Set<string>();
  let isFull = false;
  const keeper = createStateKeeper({
    storage: {
      async put(key) {
        await sleep(putMs);
        if (isFull) throw new Error("The disk is full.");
        stored.add(key);
      },
      delete: async (key) => void stored.delete(key),
    },
    afterMs: 0,
    onKept: (state) => kept.push(state),
    onError: (sentence) => errors.push(sentence),
    ...options,
  });
  const started = performance.now();
  const offer = (step: number, of: number, isImageFinished = false): Promise<void> => {
    const state: OfferedState = {
      step,
      of,
      isImageFinished,
      seconds: (performance.now() - started) / 1000,
      encode: async () => new Uint8Array(step),
    };
    return keeper.offer(state);
  };
  return {
    keeper,
    kept,
    errors,
    stored,
    steps: () => kept.map(({ step }) => step),
    /** Takes all steps, each of which lasts `stepMs`. */
    async take(of: number, stepMs: number, from = 0) {
      for (let step = from + 1; step <= of; step += 1) {
        await pass(stepMs);
        const done: true[] = [];
        void offer(step, of).then(() => done.push(true));
        for (await pass(0); done.length === 0;) await pass(10);
      }
      await pass(60_000);
    },
    offer,
    fill: (isNowFull: boolean) => (isFull = isNowFull),
  };
}

type Options = Partial<StateKeeperOptions> & { putMs?: number };

describe("the keeper of states", () => {
  it("keeps every step of an edit whose steps are long, and says where and how large", async () => {
    const { take, steps, kept, stored } = prepare({ afterMs: 60_000 });
    await take(5, 240_000);
    expect(steps()).toEqual([1, 2, 3, 4, 5]);
    expect(kept.map(({ bytes }) => bytes)).toEqual([1, 2, 3, 4, 5]);
    expect([...stored]).toEqual(kept.map(({ key }) => key));
    for (const key of stored) expect(key).toMatch(/^states\//);
  });

  it("keeps nothing of an edit that is expected to take less than the setting, and nothing where it is off", async () => {
    const short = prepare({ afterMs: 60_000 });
    await short.take(28, 2000);
    expect(short.steps()).toEqual([]);
    const off = prepare({ afterMs: Infinity });
    await off.take(28, 240_000);
    expect(off.steps()).toEqual([]);
  });

  it("begins as soon as an edit turns out to be longer, from its own steps", async () => {
    const { take, steps } = prepare({ afterMs: 60_000 });
    // 28 steps of 2.2 s.
    await take(28, 2200);
    expect(steps()[0]).toBe(1);
  });

  it("takes less than 2 % of the time, also of one whose steps are short", async () => {
    const { take, steps } = prepare({ putMs: 20 });
    await take(1000, 10);
    // 10 s of steps, and 20 ms for each state.
    expect(steps().length).toBeGreaterThan(3);
    expect(steps().length * 20).toBeLessThanOrEqual(0.02 * 10_000);
  });

  it("lets the steps wait for a slow storage, but not for long, and stores one state at a time", async () => {
    const { take, steps, stored } = prepare({ putMs: 600_000 });
    await pass(1);
    const started = performance.now();
    // 1,000 s of steps: 600 s until the first state is stored, and the second is not by the end.
    await take(100, 10_000);
    expect(performance.now() - started).toBe(100 * 10_000 + 2 * 5000 + 60_000);
    expect(steps()).toEqual([1]);
    expect(stored.size).toBe(1);
  });

  it("counts all that its steps have waited, not the last wait alone", async () => {
    const putMs = [600, 10, 10, 10];
    const { take, steps } = prepare({
      storage: { put: () => sleep(putMs.shift() ?? 10), delete: async () => {} },
    });
    // 600 ms are a hundredth of 60 s.
    await take(80, 1000);
    expect(steps().slice(0, 3)).toEqual([1, 60, 61]);
  });

  it("keeps every step once the worker is about to end", async () => {
    const stopping = new AbortController();
    const { offer, steps } = prepare({ putMs: 10, stopping: stopping.signal });
    for (const step of [1, 2, 3, 4, 5, 6]) {
      await pass(100);
      if (step === 4) stopping.abort();
      void offer(step, 50);
    }
    await pass(100);
    expect(steps()).toEqual([1, 4, 5, 6]);
  });

  it("keeps every finished result of several, however quick they are, and however slow it is", async () => {
    const { offer, steps } = prepare({ afterMs: 60_000, putMs: 50 });
    for (let step = 1; step <= 12; step += 1) {
      await pass(100);
      void offer(step, 12, step % 4 === 0);
      await pass(60);
    }
    expect(steps()).toEqual([4, 8, 12]);
  });

  it("keeps a finished result with a later step where it could not at its own", async () => {
    const slow = prepare({ afterMs: 0, putMs: 500 });
    await pass(1);
    void slow.offer(1, 8);
    await pass(100);
    // The one before is still being stored.
    void slow.offer(2, 8, true);
    await pass(1000);
    void slow.offer(3, 8);
    await pass(1000);
    void slow.offer(4, 8);
    await pass(1000);
    expect(slow.steps()).toEqual([1, 3]);

    const full = prepare({ afterMs: 60_000, putMs: 10 });
    full.fill(true);
    void full.offer(1, 4, true);
    await pass(1000);
    full.fill(false);
    void full.offer(2, 4);
    await pass(6000);
    void full.offer(3, 4);
    await pass(1000);
    void full.offer(4, 4);
    await pass(1000);
    expect(full.errors).toHaveLength(1);
    expect(full.steps()).toEqual([3]);
  });

  it("keeps no finished result where it is off", async () => {
    const { offer, steps } = prepare({ afterMs: Infinity });
    await offer(4, 8, true);
    await pass(1000);
    expect(steps()).toEqual([]);
  });

  it("says what went wrong and tries again later, and the edit goes on", async () => {
    const { take, fill, errors, steps } = prepare({ putMs: 10 });
    fill(true);
    await take(4, 1000);
    expect(errors).toEqual(["The disk is full."]);
    fill(false);
    await take(9, 6000, 4);
    expect(steps()).toEqual([5, 6, 7, 8, 9]);
    expect(errors).toHaveLength(1);
  });

  it("reports nothing after the edit's end, and takes back what is then stored", async () => {
    const { keeper, offer, kept, stored } = prepare({ putMs: 1000 });
    await pass(100);
    void offer(1, 2);
    await pass(500);
    keeper.end();
    expect(stored.size).toBe(0);
    await pass(1000);
    expect(kept).toEqual([]);
    expect(stored.size).toBe(0);
    await offer(2, 2);
    await pass(60_000);
    expect(kept).toEqual([]);
  });
});
