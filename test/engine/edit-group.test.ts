import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, it, vi } from "vitest";
import { EditGroup, type GroupMember, NotTogether } from "../../src/engine/edit-group.ts";
import { createTurns } from "../../src/engine/turns.ts";
import { RetouchError } from "../../src/errors.ts";

/** Work that says how many there were. */
const sizeOf = (member: GroupMember): Promise<number> => Promise.resolve(member.size);

describe("an edit of a group", () => {
  it("runs with those that have come by its turn, and is not kept waiting by the others", async () => {
    const turns = createTurns();
    const group = new EditGroup(3);
    const started = performance.now();
    const sizes = await Promise.all([1, 2].map(() => group.place().run(turns, undefined, sizeOf)));
    const waited = performance.now() - started;
    expect(sizes).toEqual([2, 2]);
    expect(waited).toBeGreaterThan(15);
    // The third one comes too late.
    expect(await group.place().run(turns, undefined, sizeOf)).toBe(1);
  });

  it("waits for nobody who does not come", async () => {
    const turns = createTurns();
    vi.useFakeTimers();
    try {
      // Time stands still: no wait would end.
      expect(await new EditGroup(1).place().run(turns, undefined, sizeOf)).toBe(1);
      const group = new EditGroup(2);
      const [one, other] = [group.place(), group.place()];
      const running = one.run(turns, undefined, sizeOf);
      other.leave();
      other.leave();
      expect(await running).toBe(1);
    } finally {
      vi.useRealTimers();
    }
  });

  it("runs again, alone and after the others, if it does not go with them", async () => {
    const turns = createTurns();
    const group = new EditGroup(2);
    const order: string[] = [];
    const work = (name: string, extent: number) => async (member: GroupMember) => {
      order.push(`${name} of ${member.size}`);
      await member.agree({ numSteps: extent } as never);
      await delay(5);
      order.push(`${name} ends`);
    };
    await Promise.all([
      group.place().run(turns, undefined, work("one", 1)),
      group.place().run(turns, undefined, work("other", 2)),
    ]);
    expect(order).toEqual(["one of 2", "other of 2", "one ends", "other of 1", "other ends"]);
    const alone = new EditGroup(1).place();
    await alone.run(turns, undefined, async (member) => {
      expect(() => member.mustBeAlone()).not.toThrow();
      await Promise.resolve();
    });
    const member = new EditGroup(2);
    const refused = [1, 2].map(() =>
      member.place().run(turns, undefined, async ({ size, mustBeAlone }) => {
        if (size > 1) expect(mustBeAlone).toThrow(NotTogether);
        mustBeAlone();
        return Promise.resolve(size);
      }),
    );
    expect(await Promise.all(refused)).toEqual([1, 1]);
  });

  it("ends its wait when it is cancelled, or the engine is closed, and no other's", async () => {
    const turns = createTurns();
    let release = (): void => {};
    const before = turns.take(undefined, () => new Promise<void>((resolve) => (release = resolve)));
    const group = new EditGroup(2);
    const cancelled = new AbortController();
    const one = group.place().run(turns, cancelled.signal, sizeOf);
    const other = group.place().run(turns, undefined, sizeOf);
    cancelled.abort();
    await expect(one).rejects.toThrow(new RetouchError("ABORTED", "The edit was cancelled."));
    release();
    await before;
    expect(await other).toBe(1);

    await turns.close(() => Promise.resolve());
    const late = new EditGroup(2);
    const ends = await Promise.allSettled([1, 2].map(() => late.place().run(turns, undefined, sizeOf)));
    expect(ends.map((end) => end.status === "rejected" && String(end.reason))).toEqual([
      "RetouchError: The engine is closed.",
      "RetouchError: The engine is closed.",
    ]);
  });
});
