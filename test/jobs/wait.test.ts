import { EventEmitter } from "node:events";
import { describe, expect, it, vi } from "vitest";
import type { Topic } from "../../src/jobs/events.ts";
import { RetouchError } from "../../src/errors.ts";
import { lookUntil, type Watch, watchJob } from "../../src/jobs/wait.ts";

function prepare(options: { waitMs: number; signal?: AbortSignal }) {
  const emitter = new EventEmitter();
  const events = {
    on(topic: Topic, subject: string | undefined, listener: () => void) {
      emitter.on(`${topic} ${subject}`, listener);
      return () => void emitter.off(`${topic} ${subject}`, listener);
    },
    close() {},
  };
  const watch: Watch = watchJob(events, "job-1", { topics: ["changed", "progressed"], ...options });
  const notify = (topic: Topic): void => void emitter.emit(`${topic} job-1`);
  return { watch, notify, emitter };
}

describe("a watch", () => {
  it("wakes at news of each of its topics, and misses none that come before they are waited for", async () => {
    const { watch, notify } = prepare({ waitMs: 60_000 });
    notify("progressed");
    expect(await watch.next()).toBe(true);
    const next = watch.next();
    notify("changed");
    expect(await next).toBe(true);
    watch.close();
  });

  it("takes several news for one", async () => {
    const controller = new AbortController();
    const { watch, notify } = prepare({ waitMs: 60_000, signal: controller.signal });
    notify("changed");
    notify("progressed");
    expect(await watch.next()).toBe(true);
    const next = watch.next();
    controller.abort();
    expect(await next).toBe(false);
    watch.close();
  });

  it.each([
    ["its time is over", { waitMs: 20 }],
    ["it has no time", { waitMs: 0 }],
    ["its signal comes", { waitMs: 60_000, signal: AbortSignal.timeout(20) }],
    ["its signal has come", { waitMs: 60_000, signal: AbortSignal.abort() }],
  ])("ends when %s", async (_, options) => {
    const { watch } = prepare(options);
    expect(await watch.next()).toBe(false);
    expect(await watch.next()).toBe(false);
    watch.close();
  });

  it("listens to nothing any more once it is closed", () => {
    const { watch, emitter } = prepare({ waitMs: 60_000 });
    expect(emitter.eventNames()).toEqual(["changed job-1", "progressed job-1"]);
    watch.close();
    expect(emitter.eventNames()).toEqual([]);
  });

  it("looks again after five seconds without news, which may have got lost", async () => {
    vi.useFakeTimers();
    try {
      const { watch } = prepare({ waitMs: 60_000 });
      const next = vi.fn<(isTimeLeft: boolean) => void>();
      void watch.next().then(next);
      await vi.advanceTimersByTimeAsync(4999);
      expect(next).not.toHaveBeenCalled();
      await vi.advanceTimersByTimeAsync(1);
      expect(next).toHaveBeenCalledWith(true);
      watch.close();
      expect(vi.getTimerCount()).toBe(0);
    } finally {
      vi.useRealTimers();
    }
  });
});

describe("a look for what may come", () => {
  const away = new RetouchError("DATABASE_UNAVAILABLE", "The database is away.");
  /** Looks as often as there are outcomes; news comes at once. */
  async function look(outcomes: readonly (Error | string | undefined)[], known?: string) {
    let count = 0;
    const watch: Watch = { next: async () => count + 1 < outcomes.length, close() {} };
    const found = await lookUntil(
      watch,
      async () => {
        const outcome = outcomes[count++];
        if (outcome instanceof Error) throw outcome;
        return { isDone: outcome?.startsWith("done") === true, found: outcome };
      },
      known,
    );
    return { found, count };
  }

  it("goes on while the database is away, but for its first and its last", async () => {
    expect(await look([undefined, away, away, "done"])).toEqual({ found: "done", count: 4 });
    await expect(look([away, "done"])).rejects.toBe(away);
    await expect(look([undefined, away])).rejects.toBe(away);
  });

  it("goes on in any case where something is known, and ends with the latest of it", async () => {
    expect(await look([away, away, "done"], "queued")).toEqual({ found: "done", count: 3 });
    expect(await look([away, away], "queued")).toEqual({ found: "queued", count: 2 });
    expect(await look([away, "running", undefined, away], "queued")).toEqual({ found: "running", count: 4 });
  });

  it("does not go on after a defect", async () => {
    const defect = new Error("There is no such column.");
    await expect(look([undefined, defect, "done"])).rejects.toBe(defect);
    await expect(look([defect, "done"], "queued")).rejects.toBe(defect);
  });

  it("ends with what it finds, or with its time", async () => {
    expect(await look(["done", "other"])).toEqual({ found: "done", count: 1 });
    expect(await look([undefined, undefined])).toEqual({ found: undefined, count: 2 });
  });
});
