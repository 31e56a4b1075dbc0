/** Jobs that run together: none suffers from another, and none waits for one. */
import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import type { ClaimedJob, JobEdit } from "../../src/jobs/job.ts";
import { createCompanions } from "../../src/worker/companions.ts";
import { createEnginePool } from "../../src/worker/engine-pool.ts";
import { createEngineProcess } from "../../src/worker/engine-process.ts";
import { createWorker, type WorkerOptions } from "../../src/worker/worker.ts";
import { createMemoryQueue, type MemoryJob } from "./memory-queue.ts";
import { editOf, keysOf, recordedLog, stubEntry, workplace } from "./samples.ts";

/** A worker whose engine says that four edits are worth running together. */
async function prepare(options: Partial<WorkerOptions> = {}) {
  const { storage, setup, image } = await workplace();
  const queue = createMemoryQueue();
  const { log, lines, said } = recordedLog();
  const engine = createEngineProcess({
    setup: { ...setup, engine: { ...setup.engine, batch: 4 } },
    log,
    entry: stubEntry,
    cancelGraceMs: 500,
  });
  const worker = createWorker({
    queue,
    engines: createEnginePool(new Map([["", engine]])),
    log,
    leaseRenewalMs: 50,
    shutdownDeadlineMs: 0,
    discard: async (result) => {
      if (result.image.kind === "stored") await storage.delete(result.image.key);
    },
    discardSource: (key) => storage.delete(key),
    ...options,
  });
  onTestFinished(() => worker.stop());
  const sized = { ...image, size: { width: 64, height: 64 } };
  const add = (prompt: string, changes: Partial<JobEdit> = {}, executionTimeoutMs = 60_000): MemoryJob =>
    queue.add(editOf(sized, { prompt, ...changes }), { executionTimeoutMs });
  // The first of its kind says how many are worth it.
  const first = add("Make it night");
  worker.start();
  await until(first, "completed");
  return { worker, queue, storage, lines, said, add };
}

const until = (job: MemoryJob, status: MemoryJob["status"]) => expect.poll(() => job.status).toBe(status);

/** Jobs that ran at a time, by when they were claimed. */
const claims = (jobs: readonly MemoryJob[]): number[] =>
  jobs
    .map(({ claimedAt }) => claimedAt!)
    .map((at, _, all) => all.filter((other) => Math.abs(other - at) < 100).length);

describe("a worker", () => {
  it("runs as many jobs together as are worth it, those of one kind, and none before its turn", async () => {
    const { storage, add } = await prepare();
    const busy = add("sleep 200", { numSteps: 9 });
    await until(busy, "running");
    const alike = [1, 2, 3, 4, 5].map((seed) => add("sleep 300", { seed, guidance: seed }));
    const other = add("sleep 300", { size: { width: 48, height: 64 } });
    const last = [add("sleep 300"), add("sleep 300")];
    for (const job of [...alike, other, ...last]) await until(job, "completed");
    expect(claims([...alike, other, ...last])).toEqual([4, 4, 4, 4, 1, 1, 2, 2]);
    const order = [...alike, other, ...last].map(({ claimedAt }) => claimedAt!);
    expect(order).toEqual(order.toSorted((one, next) => one - next));
    expect(await keysOf(storage, "outputs")).toHaveLength(10);
    expect(alike.map(({ attempt }) => attempt)).toEqual([1, 1, 1, 1, 1]);
  });

  it("learns nothing of the engine's speed from jobs that ran together", async () => {
    const { queue, worker, add } = await prepare();
    const busy = add("sleep 200", { numSteps: 9 });
    await until(busy, "running");
    const jobs = [add("sleep 1000"), add("sleep 1000")];
    await until(busy, "completed");
    const speed = () => queue.workers.get(worker.id)?.endpoints[""]?.speed;
    // Each report of its life says what it knows.
    await delay(200);
    const before = speed();
    for (const job of jobs) await until(job, "completed");
    await delay(200);
    expect([speed(), claims(jobs)]).toEqual([before, [2, 2]]);
  });

  it("lets none but the guilty one fail: after a crash, each runs again alone", async () => {
    const { add } = await prepare();
    const busy = add("sleep 200", { numSteps: 9 });
    await until(busy, "running");
    const crash = add("crash");
    const others = [add("sleep 300"), add("sleep 300")];
    for (const job of others) await until(job, "completed");
    expect(crash).toMatchObject({ status: "failed", attempt: 2 });
    expect(others.map(({ attempt }) => attempt)).toEqual([2, 2]);
    expect(claims([crash, ...others])).toEqual([1, 1, 1]);
  });

  it("gives the others back, at no cost, where it ends the process of one that is stuck", async () => {
    const { add, said } = await prepare();
    const busy = add("sleep 200", { numSteps: 9 });
    await until(busy, "running");
    const stuck = add("hang", {}, 400);
    const others = [add("sleep 5000"), add("Make it night")];
    await until(others[1]!, "completed");
    expect(stuck).toMatchObject({
      status: "timedOut",
      attempt: 1,
      error: "The job ran for longer than its limit of 0.4 seconds (policy.executionTimeout).",
    });
    expect(others.map(({ attempt }) => attempt)).toEqual([1, 1]);
    expect(said().filter((sentence) => sentence === "The engine is ready.")).toHaveLength(2);
  });

  it("ends one over its time, or cancelled, and lets the others go on", async () => {
    const { queue, add, said } = await prepare();
    const busy = add("sleep 200", { numSteps: 9 });
    await until(busy, "running");
    const late = add("sleep 60000", {}, 300);
    const cancelled = add("sleep 60000");
    const other = add("sleep 2000");
    await until(cancelled, "running");
    await expect.poll(() => cancelled.progress.length).toBeGreaterThan(0);
    queue.change(cancelled, { status: "cancelled" });
    await until(other, "completed");
    expect(late).toMatchObject({ status: "timedOut", attempt: 1 });
    expect([cancelled.attempt, other.attempt]).toEqual([1, 1]);
    expect(said().filter((sentence) => sentence === "The engine is ready.")).toHaveLength(1);
  });

  it("gives all of them back untouched when it is stopped", async () => {
    const { worker, add } = await prepare({ shutdownDeadlineMs: 100 });
    const busy = add("sleep 200", { numSteps: 9 });
    await until(busy, "running");
    const jobs = [add("sleep 60000"), add("sleep 60000"), add("sleep 60000")];
    for (const job of jobs) await until(job, "running");
    await worker.stop();
    for (const job of jobs) expect(job).toMatchObject({ status: "queued", attempt: 0 });
  });
});

describe("the companions of a job", () => {
  const edit = editOf({ kind: "stored", key: "inputs/a.bin", size: { width: 64, height: 64 } });
  const job = (id: string): ClaimedJob => ({ id, endpoint: "", keyId: "key", attempt: 1, edit });
  const SPEED = { nativeArea: 16384, grid: 16, stepMs: 1, fixedMs: 1 };

  function withQueue({ lookMs = 0, claimMs = 0 }) {
    const queue = {
      isLikeNext: vi.fn(async () => delay(lookMs, true)),
      claimLike: vi.fn(async () => delay(claimMs, job("late"))),
      handBack: vi.fn(async () => true),
    };
    const companions = createCompanions(queue, "worker");
    companions.learn(job("first"), 2);
    return { queue, companions };
  }

  it("are not looked for where nobody knows that it is worth it", async () => {
    const { queue, companions } = withQueue({});
    expect(await companions.takeFor({ ...job("one"), edit: { ...edit, numSteps: 5 } }, SPEED)).toEqual([]);
    expect(await companions.takeFor({ ...job("one"), edit: { ...edit, numImages: 2 } }, SPEED)).toEqual([]);
    companions.learn(job("first"), 1);
    expect(await companions.takeFor(job("one"), SPEED)).toEqual([]);
    expect(queue.isLikeNext).not.toHaveBeenCalled();
  });

  it("keep no job waiting where the database is slow to say whether there are any", async () => {
    const { queue, companions } = withQueue({ lookMs: 500 });
    const started = performance.now();
    expect(await companions.takeFor(job("one"), SPEED)).toEqual([]);
    expect(performance.now() - started).toBeLessThan(200);
    expect(queue.claimLike).not.toHaveBeenCalled();
  });

  it("are given back if they come too late", async () => {
    const { queue, companions } = withQueue({ claimMs: 400 });
    expect(await companions.takeFor(job("one"), SPEED)).toEqual([]);
    expect(queue.handBack).not.toHaveBeenCalled();
    await expect.poll(() => queue.handBack.mock.calls).toEqual([[job("late"), "worker"]]);
  });
});
