/** Downloads beside the engine, with a queue in memory and an engine process that downloads when a test says so. */
import { setImmediate as turn } from "node:timers/promises";
import { describe, expect, it, onTestFinished } from "vitest";
import type { FetchOutcome } from "../../src/worker/engine-process.ts";
import { createOutage } from "../../src/worker/outage.ts";
import { createSourceFetcher, type SourceFetcherOptions } from "../../src/worker/source-fetcher.ts";
import { createMemoryQueue, type MemoryJob } from "./memory-queue.ts";
import { editOf, recordedLog } from "./samples.ts";

const fetched = (key: string): FetchOutcome => ({ kind: "fetched", key, bytes: 5 });
const CRASHED: FetchOutcome = { kind: "crashed", error: "The engine process ended." };

function prepare(options: Partial<SourceFetcherOptions> = {}) {
  const queue = createMemoryQueue();
  const { log, lines } = recordedLog();
  const under = new Map<string, { end: (outcome: FetchOutcome) => void; signal: AbortSignal }>();
  const discarded: string[] = [];
  const engine = {
    isReady: true,
    fetch: (id: string, _url: string, { signal }: { signal: AbortSignal }) =>
      new Promise<FetchOutcome>((resolve) => {
        const end = (outcome: FetchOutcome): void => {
          under.delete(id);
          resolve(outcome);
        };
        under.set(id, { end, signal });
        signal.addEventListener("abort", () => end({ kind: "cancelled" }), { once: true });
      }),
  };
  const fetcher = createSourceFetcher({
    queue,
    engine,
    log,
    outage: createOutage(log),
    workerId: "worker-a",
    writePatienceMs: 1000,
    discardSource: async (key) => void discarded.push(key),
    maxOfKey: 100,
    ...options,
  });
  onTestFinished(() => fetcher.stop());
  return {
    queue,
    engine,
    fetcher,
    under,
    lines,
    discarded,
    add: (name: string): MemoryJob =>
      queue.add(editOf({ kind: "url", url: `http://pictures.example/${name}` })),
    end: async (job: MemoryJob, outcome: FetchOutcome) => {
      under.get(job.id)!.end(outcome);
      await settled();
    },
    ids: () => [...under.keys()],
  };
}

/** As long as anything that needs no time goes on. */
async function settled(): Promise<void> {
  for (let count = 0; count < 20; count += 1) await turn();
}

describe("a worker's downloads", () => {
  it("are made several at once, and the next when one is done", async () => {
    const { fetcher, add, ids, end } = prepare({ maxAtOnce: 2 });
    const jobs = [add("a"), add("b"), add("c")];
    fetcher.start();
    fetcher.start();
    await settled();
    expect(ids()).toEqual([jobs[0]!.id, jobs[1]!.id]);
    await end(jobs[1]!, fetched("inputs/b.bin"));
    expect(jobs[1]).toMatchObject({
      status: "queued",
      edit: { images: [{ kind: "stored", key: "inputs/b.bin" }] },
    });
    expect(ids()).toEqual([jobs[0]!.id, jobs[2]!.id]);
  });

  it("begin as soon as there is news", async () => {
    const { fetcher, add, ids } = prepare();
    fetcher.start();
    await settled();
    const job = add("a");
    await settled();
    expect(ids()).toEqual([job.id]);
  });

  it("are as many of one key as it says", async () => {
    const { fetcher, add, ids } = prepare({ maxOfKey: 1 });
    const [job] = [add("a"), add("b")];
    fetcher.start();
    await settled();
    expect(ids()).toEqual([job!.id]);
  });

  it("end a job whose picture cannot be had, in its sentence", async () => {
    const { fetcher, add, end } = prepare();
    const job = add("a");
    fetcher.start();
    await settled();
    const values = { field: "image", sentence: "there is no such host." };
    const failure = { code: "IMAGE_UNREADABLE", kind: "about", values } as const;
    await end(job, { kind: "failed", error: "image: there is no such host.", failure });
    expect(job).toMatchObject({ status: "failed", error: "image: there is no such host.", failure });
  });

  it("end a job whose mask cannot be had, in a sentence about the mask, and keep nothing", async () => {
    const { fetcher, queue, end, discarded } = prepare();
    const mask = { kind: "url", url: "http://pictures.example/mask" } as const;
    const job = queue.add({ ...editOf({ kind: "url", url: "http://pictures.example/a" }), mask });
    fetcher.start();
    await settled();
    await end(job, fetched("inputs/a.bin"));
    const values = { source: mask.url, reason: "there is no such host" };
    const failure = { code: "IMAGE_UNREADABLE", kind: "imageDownload", values } as const;
    await end(job, { kind: "failed", error: "image: there is no such host.", failure });
    const sentence = "http://pictures.example/mask cannot be downloaded: there is no such host.";
    expect(job).toMatchObject({
      status: "failed",
      error: `mask: ${sentence}`,
      failure: { code: "INVALID_PARAMETER", kind: "about", values: { field: "mask", sentence } },
    });
    expect(discarded).toEqual(["inputs/a.bin"]);
  });

  it("wait for an engine, and are left to others where it ended, five times at the most", async () => {
    const { fetcher, engine, add, ids, end } = prepare();
    const job = add("a");
    engine.isReady = false;
    fetcher.start();
    await settled();
    expect(ids()).toEqual([]);
    engine.isReady = true;
    await expect.poll(ids).toEqual([job.id]);
    await end(job, { kind: "absent" });
    expect(job).toMatchObject({ status: "queued", sourceTries: 1 });
    for (let tries = 1; tries < 5; tries += 1) {
      await end(job, CRASHED);
      expect(job).toMatchObject({ status: "queued", sourceTries: tries + 1 });
    }
    await end(job, CRASHED);
    expect(job).toMatchObject({
      status: "failed",
      error: "image: the picture could not be downloaded; the engine process ended each time.",
    });
  });

  it("that our storage does not take cost no try, and none begins until it does", async () => {
    const state = { isAway: false, told: [] as string[] };
    const { fetcher, add, ids, end } = prepare({
      isStorageAway: () => state.isAway,
      onStorageAway(detail) {
        state.isAway = true;
        state.told.push(detail);
      },
    });
    const job = add("a");
    fetcher.start();
    for (let count = 0; count < 6; count += 1) {
      await expect.poll(ids, { interval: 5 }).toEqual([job.id]);
      expect(job.sourceTries).toBe(1);
      await end(job, { kind: "storageAway", detail: "It is full." });
      expect(job).toMatchObject({ status: "queued", sourceTries: 0, sourceWorker: undefined });
      expect(ids()).toEqual([]);
      state.isAway = false;
    }
    expect(state.told).toEqual(Array.from({ length: 6 }, () => "It is full."));
  });

  it("are left when their job is cancelled, and what is stored all the same is deleted", async () => {
    const { fetcher, queue, add, ids, under, discarded } = prepare();
    const [cancelled, late] = [add("a"), add("b")];
    fetcher.start();
    await settled();
    queue.change(cancelled, { status: "cancelled" });
    await settled();
    expect(ids()).toEqual([late.id]);
    // Its news is still on its way.
    late.status = "cancelled";
    under.get(late.id)!.end(fetched("inputs/late.bin"));
    await settled();
    expect(discarded).toEqual(["inputs/late.bin"]);
  });

  it("are written although the database is away for a moment, and nothing is deleted that may be needed", async () => {
    const { fetcher, queue, add, end, discarded } = prepare();
    const job = add("a");
    fetcher.start();
    await settled();
    queue.outage = "late";
    await end(job, fetched("inputs/a.bin"));
    queue.outage = false;
    await expect.poll(() => job.edit.images[0]).toEqual({ kind: "stored", key: "inputs/a.bin" });
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(discarded).toEqual([]);
  });

  it("are given back when the worker stops", async () => {
    const { fetcher, add, ids } = prepare();
    const job = add("a");
    fetcher.start();
    await settled();
    await fetcher.stop();
    expect(ids()).toEqual([]);
    expect(job).toMatchObject({ status: "queued", sourceWorker: undefined });
  });
});
