/** A worker with a queue in memory, and an engine process without networks. */
import fs from "node:fs/promises";
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from "vitest";
import type { EditSpeed } from "../../src/engine/estimate.ts";
import type { EngineSetup } from "../../src/worker/protocol.ts";
import { createEnginePool } from "../../src/worker/engine-pool.ts";
import { createEngineProcess, type EngineProcess } from "../../src/worker/engine-process.ts";
import { createWorker, type WorkerOptions } from "../../src/worker/worker.ts";
import { createMemoryQueue, type MemoryJob } from "./memory-queue.ts";
import { editOf, keysOf, recordedLog, stubEntry, workplace } from "./samples.ts";

const READY = "The engine is ready.";

async function prepare(options: Partial<WorkerOptions> = {}) {
  const { storage, setup, image } = await workplace();
  const queue = createMemoryQueue();
  const { log, said } = recordedLog();
  const engine = createEngineProcess({ setup, log, entry: stubEntry });
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
  return {
    worker,
    engine,
    setup,
    queue,
    storage,
    said,
    image,
    add: (prompt: string, more?: { executionTimeoutMs?: number }) =>
      queue.add(editOf(image, { prompt }), more),
  };
}

const until = (job: MemoryJob, status: MemoryJob["status"]) => expect.poll(() => job.status).toBe(status);
const untilProgress = (job: MemoryJob) => expect.poll(() => job.progress.length).toBeGreaterThan(0);

describe("a worker", () => {
  it("announces itself, runs jobs one after the other, and takes leave", async () => {
    const { worker, queue, storage, add } = await prepare();
    const jobs = [add("sleep 200"), add("Make it night")];
    expect(worker.status()).toEqual({ status: "initializing", reason: undefined });
    worker.start();
    worker.start();
    await until(jobs[1]!, "completed");
    await expect.poll(() => queue.workers.get(worker.id)?.status).toBe("idle");
    expect(worker.id).toMatch(/^[a-z0-9]{14}$/);
    expect(jobs[0]).toMatchObject({ status: "completed", workerId: worker.id, attempt: 1 });
    expect(jobs[0]!.renewals).toBeGreaterThan(1);
    const images = jobs.map(({ result }) => result?.image);
    expect(images.map((image) => image?.kind === "stored" && image.key).toSorted()).toEqual(
      (await keysOf(storage, "outputs")).toSorted(),
    );
    const statuses = queue.reports.map(({ status }) => status);
    expect(statuses.filter((status, at) => status !== statuses[at - 1])).toEqual([
      "initializing",
      "running",
      "idle",
    ]);

    // Idle, it is told of a job, and does not wait for its next look.
    const added = performance.now();
    const next = add("Make it night");
    await until(next, "completed");
    expect(next.claimedAt! - added).toBeLessThan(500);

    // The engine's own measure was one millisecond a step.
    expect(queue.workers.get(worker.id)?.endpoints[""]?.speed?.stepMs).toBeGreaterThan(1);
    await worker.stop();
    expect(queue.workers.size).toBe(0);
  });

  it("stops a cancelled job within a step, with the process that it has, and takes the next one", async () => {
    const { worker, queue, said, add } = await prepare();
    const job = add("sleep 60000");
    const next = add("Make it night");
    worker.start();
    await untilProgress(job);
    const cancelled = performance.now();
    queue.change(job, { status: "cancelled" });
    await until(next, "completed");
    expect(next.claimedAt! - cancelled).toBeLessThan(1000);
    expect(job).toMatchObject({ status: "cancelled", attempt: 1 });
    expect(said().filter((sentence) => sentence === READY)).toHaveLength(1);
  });

  it("ends a process that is stuck in a job over its time, and runs the next one in a fresh one", async () => {
    const { worker, said, add } = await prepare();
    const job = add("hang", { executionTimeoutMs: 500 });
    const next = add("Make it night");
    worker.start();
    await until(next, "completed");
    expect(job).toMatchObject({
      status: "timedOut",
      attempt: 1,
      error: "The job ran for longer than its limit of 0.5 seconds (policy.executionTimeout).",
    });
    expect(said().filter((sentence) => sentence === READY)).toHaveLength(2);
  });

  it("survives a crash, which costs the job an attempt", async () => {
    const { worker, add } = await prepare();
    const job = add("crash");
    const next = add("Make it night");
    worker.start();
    await until(next, "completed");
    expect(job).toMatchObject({
      status: "failed",
      attempt: 2,
      error: "The engine process ended unexpectedly (SIGKILL).",
    });
  });

  it("finishes the running job when it is stopped, and takes no other", async () => {
    const { worker, queue, engine, add } = await prepare({ shutdownDeadlineMs: 30_000 });
    const job = add("sleep 300");
    const next = add("Make it night");
    worker.start();
    await untilProgress(job);
    await Promise.all([worker.stop(), worker.stop()]);
    expect(job).toMatchObject({ status: "completed", attempt: 1 });
    expect(next).toMatchObject({ status: "queued", attempt: 0 });
    expect(queue.workers.size).toBe(0);
    expect(engine.isReady).toBe(false);
  });

  it("gives the running job back untouched when the deadline of its stop is over", async () => {
    const { worker, queue, storage, add } = await prepare({ shutdownDeadlineMs: 100 });
    const job = add("sleep 60000");
    worker.start();
    await untilProgress(job);
    await worker.stop();
    expect(job).toMatchObject({ status: "queued", attempt: 0 });
    expect(queue.workers.size).toBe(0);
    expect(await keysOf(storage, "outputs")).toEqual([]);
  });

  it("loses no result while the database is away", async () => {
    const { worker, queue, storage, said, add } = await prepare();
    const job = add("sleep 100");
    worker.start();
    await untilProgress(job);
    queue.outage = "now";
    await expect.poll(() => keysOf(storage, "outputs")).toHaveLength(1);
    expect(job.status).toBe("running");
    queue.outage = false;
    await until(job, "completed");
    expect(job.attempt).toBe(1);
    expect(job.result?.image).toMatchObject({ kind: "stored", key: (await keysOf(storage, "outputs"))[0] });
    const outages = said().filter((sentence) => String(sentence).startsWith("The database"));
    expect(outages).toEqual(["The database does not answer.", "The database answers again."]);
  });
});

describe("a worker whose storage is away", () => {
  /** The folder of the storage, away and back. */
  const rename = async (setup: EngineSetup, isBack: boolean): Promise<void> => {
    const { folder } = setup.storage as { folder: string };
    await (isBack ? fs.rename(`${folder}-away`, folder) : fs.rename(folder, `${folder}-away`));
  };

  it("gives the job back untouched, takes none until a check passes, and says each once", async () => {
    const { worker, queue, setup, said, add } = await prepare();
    worker.start();
    await expect.poll(() => worker.status().status).toBe("idle");
    await rename(setup, false);
    const jobs = [add("Make it night"), add("Make it day")];
    await expect
      .poll(() => worker.status())
      .toEqual({
        status: "unhealthy",
        reason: "The storage does not work.",
        fault: "storage",
      });
    expect(queue.workers.get(worker.id)?.status).toBe("unhealthy");
    expect(jobs).toMatchObject([
      { status: "queued", attempt: 0 },
      { status: "queued", attempt: 0 },
    ]);
    await rename(setup, true);
    for (const job of jobs) await until(job, "completed");
    expect(jobs).toMatchObject([{ attempt: 1 }, { attempt: 1 }]);
    expect(said().filter((sentence) => String(sentence).startsWith("The storage"))).toEqual([
      "The storage does not work; this worker takes no jobs.",
      "The storage works again.",
    ]);
  });

  it("keeps a finished result, renews its lease and is unhealthy until it is stored", async () => {
    const { worker, setup, storage, add } = await prepare();
    // The edit itself has time enough on a busy machine.
    const job = add("sleep 500", { executionTimeoutMs: 3000 });
    worker.start();
    await untilProgress(job);
    await rename(setup, false);
    await expect.poll(() => worker.status().fault).toBe("storage");
    const { renewals } = job;
    // Beyond its limit.
    await new Promise((resolve) => setTimeout(resolve, 3500));
    expect(job).toMatchObject({ status: "running", attempt: 1 });
    expect(job.renewals).toBeGreaterThan(renewals);
    await rename(setup, true);
    await until(job, "completed");
    expect(await keysOf(storage, "outputs")).toHaveLength(1);
  });

  it("stops in time, and gives the job back whose result it could not store", async () => {
    const { worker, setup, add } = await prepare({ shutdownDeadlineMs: 100 });
    const job = add("sleep 300");
    worker.start();
    await untilProgress(job);
    await rename(setup, false);
    await expect.poll(() => worker.status().fault).toBe("storage");
    await worker.stop();
    expect(job).toMatchObject({ status: "queued", attempt: 0 });
    await rename(setup, true);
  });

  it("forgets the result of a job that is cancelled meanwhile, and leaves nothing stored", async () => {
    const { worker, queue, setup, storage, add } = await prepare();
    const job = add("sleep 300");
    worker.start();
    await untilProgress(job);
    await rename(setup, false);
    await expect.poll(() => worker.status().fault).toBe("storage");
    queue.change(job, { status: "cancelled" });
    await rename(setup, true);
    const next = add("Make it night");
    await until(next, "completed");
    expect(await keysOf(storage, "outputs")).toHaveLength(1);
  });
});

// Without a process: it is as ready as the test says.
describe("a worker whose engine", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());
  const SPEED: EditSpeed = { nativeArea: 16384, grid: 16, stepMs: 1, fixedMs: 1 };

  function withEngine(ready: () => Promise<EditSpeed>, options: Partial<WorkerOptions> = {}) {
    const queue = createMemoryQueue();
    const { log, said } = recordedLog();
    const engine: EngineProcess = {
      isReady: false,
      neededBytes: undefined,
      encodings: { hits: 0, misses: 0, bytes: 0 },
      unload: async () => {},
      ready,
      run: async () => ({ kind: "absent" }),
      fetch: async () => ({ kind: "absent" }),
      checkStorage: async () => {},
      kill() {},
      close: async () => {},
    };
    const engines = createEnginePool(new Map([["", engine]]));
    const common = { queue, engines, log, leaseRenewalMs: 1000, shutdownDeadlineMs: 5000 };
    const worker = createWorker({
      ...common,
      discard: async () => {},
      discardSource: async () => {},
      ...options,
    });
    return { worker, queue, said, pass: (ms: number) => vi.advanceTimersByTimeAsync(ms) };
  }

  it("cannot be started says why once, tries again ever more seldom, and recovers", async () => {
    let tries = 0;
    let isUsable = false;
    const { worker, queue, said, pass } = withEngine(async () => {
      tries += 1;
      if (!isUsable) throw new Error("The checkpoint is missing.");
      return SPEED;
    });
    const job = queue.add(editOf({ kind: "stored", key: "inputs/picture.bin" }));
    worker.start();
    for (const [seconds, expected] of [
      [0, 1],
      [1, 2],
      [2, 3],
      [4, 4],
      [8, 5],
      [16, 6],
      [29, 6],
      [1, 7],
      [29, 7],
      [1, 8],
    ] as const) {
      await pass(seconds * 1000);
      expect(tries).toBe(expected);
    }
    expect(worker.status()).toEqual({
      status: "unhealthy",
      reason: "The checkpoint is missing.",
      fault: "engine",
    });
    expect(queue.workers.get(worker.id)?.status).toBe("unhealthy");
    expect(job).toMatchObject({ status: "queued", attempt: 0 });
    expect(said()).toEqual(["The checkpoint is missing."]);

    isUsable = true;
    job.status = "cancelled";
    await pass(30_000);
    expect(worker.status()).toEqual({ status: "idle", reason: undefined });
    await Promise.all([worker.stop(), pass(0)]);
  });

  it("is still starting stops at once", async () => {
    const { worker, queue, pass } = withEngine(() => new Promise(() => {}));
    worker.start();
    await pass(100);
    expect(queue.workers.get(worker.id)?.status).toBe("initializing");
    await worker.stop();
    expect(queue.workers.size).toBe(0);
  });

  it("is ready gives signs of life as long as it is idle", async () => {
    const { worker, queue, pass } = withEngine(async () => SPEED);
    worker.start();
    await pass(5500);
    const reports = queue.reports.splice(0);
    expect(reports.at(-1)).toEqual({
      id: worker.id,
      status: "idle",
      endpoints: { "": { speed: SPEED } },
    });
    expect(reports.filter(({ status }) => status === "idle").length).toBeGreaterThanOrEqual(5);
    await Promise.all([worker.stop(), pass(0)]);
    await pass(10_000);
    expect(queue.reports).toEqual([]);
  });

  it("is ready stops all the same with a database that hangs, and gives no sign of life after that", async () => {
    const { worker, queue, pass } = withEngine(async () => SPEED, { shutdownDeadlineMs: 0 });
    queue.claim = () => new Promise(() => {});
    worker.start();
    await pass(1500);
    await worker.stop();
    queue.reports.splice(0);
    await pass(10_000);
    expect(queue.reports).toEqual([]);
  });
});
