/** How an attempt ends in the queue, with an engine that does as the test says. */
import { getEventListeners } from "node:events";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { JobProgress, JobResult } from "../../src/jobs/job.ts";
import { runAttempt } from "../../src/worker/attempt.ts";
import type { EngineOutcome, EngineProcess, RunEvents } from "../../src/worker/engine-process.ts";
import { createOutage } from "../../src/worker/outage.ts";
import { Stopwatch } from "../../src/engine/stopwatch.ts";
import type { EditStage } from "../../src/worker/protocol.ts";
import { resultOf } from "../support/jobs.ts";
import { createMemoryQueue, type MemoryJob } from "./memory-queue.ts";
import { editOf, recordedLog } from "./samples.ts";

const COMPLETED: EngineOutcome = {
  kind: "completed",
  result: resultOf(),
  timing: {
    totalMs: 2,
    denoiseMs: 1,
    partsMs: { load: 1, ...new Stopwatch().seconds, store: 2 },
    images: [],
  },
};
const CRASHED: EngineOutcome = { kind: "crashed", error: "The engine process ended unexpectedly (SIGKILL)." };

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

async function prepare(options: { executionTimeoutMs?: number; writePatienceMs?: number } = {}) {
  const queue = createMemoryQueue();
  const { log, lines, said } = recordedLog();
  const job = queue.add(editOf({ kind: "stored", key: "inputs/picture.bin" }), options);
  const { executionTimeoutMs = 60_000, ...claimed } = (await queue.claim("worker-a"))!;
  const bounded = { ...claimed, executionTimeoutMs };
  const shutdown = new AbortController();
  const discarded: JobResult[] = [];
  let signal: AbortSignal | undefined;
  let onProgress = (_progress: JobProgress): void => {};
  let onStage: RunEvents["onStage"];
  let end = (_outcome: EngineOutcome): void => {};
  let kills = 0;
  let owner: string | undefined;
  const engine: EngineProcess = {
    isReady: true,
    neededBytes: undefined,
    encodings: { hits: 0, misses: 0, bytes: 0 },
    unload: async () => {},
    ready: () => Promise.reject(new Error("Not asked for.")),
    fetch: async () => ({ kind: "absent" }),
    run: async (_id, _edit, given) => {
      ({ signal, owner, onProgress, onStage } = given);
      if (kills > 0) return { kind: "absent" };
      return new Promise((resolve) => (end = resolve));
    },
    // As the process does: the run ends with it.
    kill: () => {
      kills += 1;
      end(CRASHED);
    },
    checkStorage: async () => {},
    close: async () => {},
  };
  const attempt = {
    queue,
    engine,
    log,
    outage: createOutage(log),
    workerId: "worker-a",
    leaseRenewalMs: 1000,
    writePatienceMs: options.writePatienceMs ?? 10_000,
    stopping: new AbortController().signal,
    shutdown: shutdown.signal,
    discard: async (result: JobResult) => void discarded.push(result),
    discardSource: async () => {},
  };
  return {
    queue,
    job,
    shutdown,
    discarded,
    lines,
    said,
    attempt,
    run: (changes: Partial<typeof attempt> = {}) => runAttempt({ ...attempt, ...changes }, bounded),
    pass: (ms: number) => vi.advanceTimersByTimeAsync(ms),
    end: (outcome: EngineOutcome) => end(outcome),
    progress: (step: number) => onProgress({ step, of: 4 }),
    enter: (stage: EditStage) => onStage?.(stage),
    kills: () => kills,
    owner: () => owner,
    isStopped: () => signal!.aborted,
  };
}

const stateOf = ({ status, attempt, result, error }: MemoryJob) => ({ status, attempt, result, error });

describe("an attempt", () => {
  it("tells the engine whose job it is", async () => {
    const { run, end, owner } = await prepare();
    const running = run();
    end(COMPLETED);
    await running;
    expect(owner()).toBe("key");
  });

  it.each<[string, EngineOutcome, Partial<MemoryJob>]>([
    ["a result completes it", COMPLETED, { status: "completed", attempt: 1, result: resultOf() }],
    [
      "a failure fails it, with no other attempt",
      { kind: "failed", error: "image is empty." },
      { status: "failed", attempt: 1, error: "image is empty." },
    ],
    ["a crash costs an attempt", CRASHED, { status: "queued", attempt: 1 }],
    ["an engine that is not there costs none", { kind: "absent" }, { status: "queued", attempt: 0 }],
    [
      "a storage that is away costs none",
      { kind: "storageAway", detail: "connect ECONNREFUSED" },
      { status: "queued", attempt: 0 },
    ],
  ])("ends as the engine does: %s", async (_, outcome, expected) => {
    const { run, end, job, discarded } = await prepare();
    const running = run();
    end(outcome);
    expect(await running).toBe(outcome);
    expect(stateOf(job)).toMatchObject(expected);
    expect(discarded).toEqual([]);
  });

  it("renews its lease as long as it runs", async () => {
    const { run, end, pass, job } = await prepare();
    const running = run();
    await pass(3500);
    expect(job.renewals).toBe(3);
    end(COMPLETED);
    await running;
    await pass(10_000);
    expect(job.renewals).toBe(3);
  });

  it("publishes progress, the last of it before the end", async () => {
    const { run, end, progress, job } = await prepare();
    const running = run();
    for (const step of [0, 1, 4]) progress(step);
    end(COMPLETED);
    await running;
    expect(job.progress.map(({ step }) => step)).toEqual([0, 4]);
  });

  it("leaves nothing behind that listens or waits", async () => {
    const { run, end, shutdown } = await prepare();
    const running = run();
    end(COMPLETED);
    await running;
    expect(getEventListeners(shutdown.signal, "abort")).toEqual([]);
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe("a job that is no longer the worker's", () => {
  const cancel = ({ queue, job }: Awaited<ReturnType<typeof prepare>>): void =>
    queue.change(job, { status: "cancelled" });

  it("is stopped at once when that is told, without an end by force, and stays as it is", async () => {
    const bench = await prepare();
    const running = bench.run();
    cancel(bench);
    await bench.pass(0);
    expect(bench.isStopped()).toBe(true);
    expect(bench.kills()).toBe(0);
    bench.end({ kind: "cancelled" });
    await running;
    expect(stateOf(bench.job)).toMatchObject({ status: "cancelled", attempt: 1 });
  });

  it.each(["renewal", "progress"])("is stopped by its next %s where the news were missed", async (sign) => {
    const bench = await prepare();
    void bench.run();
    bench.job.status = "cancelled";
    await bench.pass(500);
    expect(bench.isStopped()).toBe(false);
    if (sign === "progress") bench.progress(1);
    await bench.pass(sign === "progress" ? 0 : 500);
    expect(bench.isStopped()).toBe(true);
  });

  it("leaves no result behind, however late the news are", async () => {
    const told = await prepare();
    const toldRun = told.run();
    cancel(told);
    await told.pass(0);
    told.end(COMPLETED);
    await toldRun;
    const untold = await prepare();
    const untoldRun = untold.run();
    untold.job.status = "cancelled";
    untold.end(COMPLETED);
    await untoldRun;
    for (const { job, discarded } of [told, untold]) {
      expect(job.status).toBe("cancelled");
      expect(discarded).toEqual([resultOf()]);
    }
  });

  it("does not fail the worker where its result cannot be deleted", async () => {
    const { run, job, end, said } = await prepare();
    const running = run({ discard: () => Promise.reject(new Error("The storage does not answer.")) });
    job.status = "cancelled";
    end(COMPLETED);
    expect(await running).toBe(COMPLETED);
    expect(said()).toContain("A result that nobody needs could not be deleted.");
  });

  it("costs no attempt where its engine crashes as it is stopped", async () => {
    const bench = await prepare();
    const running = bench.run();
    cancel(bench);
    await bench.pass(0);
    bench.end(CRASHED);
    await running;
    expect(stateOf(bench.job)).toMatchObject({ status: "cancelled", attempt: 1 });
  });
});

describe("a job that runs for longer than its limit", () => {
  it("is ended by force and timed out, in a sentence with its limit", async () => {
    const { run, pass, job, kills } = await prepare({ executionTimeoutMs: 5000 });
    const running = run();
    await pass(4999);
    expect(kills()).toBe(0);
    await pass(1);
    await running;
    expect(stateOf(job)).toMatchObject({
      status: "timedOut",
      attempt: 1,
      error: "The job ran for longer than its limit of 5 seconds (policy.executionTimeout).",
    });
  });

  it("is completed all the same where its result was there first", async () => {
    const { run, end, pass, job } = await prepare({ executionTimeoutMs: 5000 });
    const running = run();
    await pass(4999);
    end(COMPLETED);
    await pass(10_000);
    await running;
    expect(job.status).toBe("completed");
  });
});

describe("the time that a job waits for our storage", () => {
  it("is not its own: neither reading its source nor storing its result counts towards its limit", async () => {
    const { run, enter, end, pass, job } = await prepare({ executionTimeoutMs: 5000 });
    const running = run();
    enter("reading");
    await pass(60_000);
    enter("editing");
    await pass(4999);
    enter("storing");
    await pass(24 * 60 * 60_000);
    end(COMPLETED);
    await running;
    expect(job.status).toBe("completed");
  });

  it("leaves it the whole limit for the edit, and no more", async () => {
    const { run, enter, pass, job } = await prepare({ executionTimeoutMs: 5000 });
    const running = run();
    enter("reading");
    await pass(4000);
    enter("editing");
    await pass(4999);
    expect(job.status).toBe("running");
    await pass(1);
    await running;
    expect(job.status).toBe("timedOut");
  });

  it("ends at some time where the process hangs in it, which costs an attempt", async () => {
    const { run, enter, pass, job, kills } = await prepare();
    const running = run();
    enter("reading");
    await pass(15 * 60_000);
    await running;
    expect(kills()).toBe(1);
    expect(stateOf(job)).toMatchObject({ status: "queued", attempt: 1 });
  });

  it("ends with its worker, which gives the job back", async () => {
    const { run, enter, pass, shutdown, job } = await prepare();
    const running = run();
    enter("storing");
    await pass(60_000);
    shutdown.abort();
    await running;
    expect(stateOf(job)).toMatchObject({ status: "queued", attempt: 0 });
  });
});

describe("a job whose worker ends", () => {
  it("is ended by force and given back, which costs no attempt", async () => {
    const { run, shutdown, job, kills } = await prepare();
    const running = run();
    shutdown.abort();
    await running;
    expect(kills()).toBe(1);
    expect(stateOf(job)).toMatchObject({ status: "queued", attempt: 0 });
  });

  it("is given back where that began before it", async () => {
    const { run, shutdown, job } = await prepare();
    shutdown.abort();
    await run();
    expect(stateOf(job)).toMatchObject({ status: "queued", attempt: 0 });
  });
});

describe("while the database is away", () => {
  it("goes on, whatever cannot be renewed or told", async () => {
    const { run, end, pass, progress, queue, job } = await prepare();
    const running = run();
    queue.outage = "now";
    progress(1);
    await pass(5000);
    queue.outage = false;
    end(COMPLETED);
    await running;
    expect(stateOf(job)).toMatchObject({ status: "completed", attempt: 1, result: resultOf() });
  });

  it("keeps the result until it can be written", async () => {
    const { run, end, pass, queue, job, said, discarded } = await prepare();
    const running = run();
    queue.outage = "now";
    end(COMPLETED);
    await pass(8000);
    expect(job.status).toBe("running");
    queue.outage = false;
    await pass(200);
    await running;
    expect(stateOf(job)).toMatchObject({ status: "completed", result: resultOf() });
    expect(discarded).toEqual([]);
    expect(said()).toEqual([
      "The job starts.",
      "The database does not answer.",
      "The database answers again.",
      "The job ends.",
    ]);
  });

  it("keeps a result that was written although the answer got lost", async () => {
    const { run, end, pass, queue, job, discarded } = await prepare();
    const running = run();
    queue.outage = "late";
    end(COMPLETED);
    await pass(0);
    queue.outage = false;
    await pass(200);
    await running;
    expect(job.status).toBe("completed");
    expect(discarded).toEqual([]);
  });

  it("gives up when the patience is over, and leaves the job to its lease", async () => {
    const { run, end, pass, queue, job, said, discarded } = await prepare({ writePatienceMs: 1000 });
    const running = run();
    queue.outage = "now";
    end(COMPLETED);
    await pass(1500);
    expect(await running).toEqual({ kind: "cancelled" });
    expect(job.status).toBe("running");
    expect(discarded).toEqual([]);
    expect(said()).toContain("The job's end could not be written.");
  });

  it("gives up at once when the worker ends", async () => {
    const { run, end, pass, queue, shutdown } = await prepare({ writePatienceMs: 3_600_000 });
    const running = run();
    queue.outage = "now";
    end(COMPLETED);
    await pass(1000);
    shutdown.abort();
    await pass(0);
    expect(await running).toEqual({ kind: "cancelled" });
  });
});
