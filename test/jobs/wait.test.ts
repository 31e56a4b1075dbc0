import { EventEmitter } from "node:events";
import { describe, expect, it } from "vitest";
import type { Topic } from "../../src/jobs/events.ts";
import { type Watch, watchJob } from "../../src/jobs/wait.ts";

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
});
