import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { createStorageWatch } from "../../src/storage/watch.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function prepare() {
  const state = { isBroken: false, checks: 0, said: [] as string[] };
  const watch = createStorageWatch({
    async check() {
      state.checks += 1;
      if (state.isBroken) throw new Error("It is full.");
    },
    onAway: (error) => state.said.push(`away: ${(error as Error).message}`),
    onBack: () => state.said.push("back"),
  });
  return { state, watch };
}
const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);

it("is away from a failure on until a check passes, and checks ever more seldom", async () => {
  const { state, watch } = prepare();
  await pass(3_600_000);
  expect([watch.isAway, state.checks]).toEqual([false, 0]);
  state.isBroken = true;
  watch.failed(new Error("No room."));
  watch.failed(new Error("No room at all."));
  expect(watch.isAway).toBe(true);
  for (const [seconds, checks] of [
    [0, 1],
    [1, 2],
    [2, 3],
    [4, 4],
    [8, 5],
    [16, 6],
    [29, 6],
    [1, 7],
    [30, 8],
  ] as const) {
    await pass(seconds * 1000);
    expect(state.checks).toBe(checks);
  }
  state.isBroken = false;
  await pass(30_000);
  expect(watch.isAway).toBe(false);
  expect(state.said).toEqual(["away: No room.", "back"]);
  await pass(3_600_000);
  expect(state.checks).toBe(9);
});

it("is back at once where something was stored, whatever a check under way says", async () => {
  const { state, watch } = prepare();
  state.isBroken = true;
  watch.failed(new Error("No room."));
  await pass(500);
  watch.worked();
  await pass(60_000);
  expect(state).toMatchObject({ checks: 1, said: ["away: No room.", "back"] });
});

it("pauses longer each time that it fails again soon although checks pass, and forgets that after a success", async () => {
  const { state, watch } = prepare();
  const awayFor = async (): Promise<number> => {
    watch.failed(new Error("No room."));
    let seconds = 0;
    for (await pass(0); watch.isAway; seconds += 1) await pass(1000);
    return seconds;
  };
  const seconds = [];
  for (let count = 0; count < 4; count += 1) seconds.push(await awayFor());
  watch.worked();
  seconds.push(await awayFor(), await awayFor());
  await pass(31_000);
  seconds.push(await awayFor());
  expect(seconds).toEqual([0, 1, 2, 4, 0, 1, 0]);
  watch.stop();
  expect(state.said.at(-1)).toBe("back");
});

it("has a check decide about what is only suspected, or has not been seen for a time", async () => {
  const { state, watch } = prepare();
  watch.suspect();
  await pass(0);
  expect([state.checks, watch.isAway]).toEqual([1, false]);
  watch.look(30_000);
  expect(state.checks).toBe(1);
  await pass(31_000);
  state.isBroken = true;
  watch.look(30_000);
  await pass(0);
  expect([state.checks, watch.isAway, state.said]).toEqual([2, true, ["away: It is full."]]);
  watch.look(30_000);
  expect(state.checks).toBe(2);
});

it("checks nothing any more once it is stopped", async () => {
  const { state, watch } = prepare();
  state.isBroken = true;
  watch.failed(new Error("No room."));
  await pass(0);
  watch.stop();
  watch.suspect();
  watch.look(-1);
  await pass(3_600_000);
  expect(state.checks).toBe(1);
});
