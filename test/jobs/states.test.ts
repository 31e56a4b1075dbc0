/** Kept states in the job's row: whose they are, when an attempt counts, and that nothing is left of them. */
import { describe, expect, it } from "vitest";
import { abandonLeases, createMaintenance } from "../../src/jobs/maintenance.ts";
import type { ClaimedJob, KeptState } from "../../src/jobs/job.ts";
import { findNeeded } from "../../src/jobs/pictures.ts";
import { createKey } from "../../src/storage/storage.ts";
import { describeOnDatabases, EDIT, resultOf } from "../support/jobs.ts";

const stateAfter = (step: number): KeptState => ({
  key: createKey("states", "bin"),
  step,
  bytes: 1000 + step,
});

describeOnDatabases("kept states", (bench) => {
  const find = (id: string) => bench.other.jobs.find(id, "key-one");

  /** Keeps a state as the worker that claimed the job. */
  async function keep(claimed: ClaimedJob, step: number, workerId = "worker-a"): Promise<KeptState> {
    const state = stateAfter(step);
    expect(await bench.queue.keepState(claimed, workerId, state)).toBe(true);
    return state;
  }

  /** What the maintenance deletes from the storage. */
  async function deleted(): Promise<string[]> {
    const keys: string[] = [];
    const maintenance = createMaintenance(bench.context, {
      deleteInput: async (key) => void keys.push(key),
      onError: (error) => {
        throw error;
      },
    });
    await maintenance.run();
    return keys;
  }

  it("are handed to the next worker, the latest of them, and their progress is shown again at once", async () => {
    const { job, claimed } = await bench.start("worker-a");
    await keep(claimed, 5);
    const latest = await keep(claimed, 9);
    await bench.queue.progress(claimed, "worker-a", { step: 11, of: 28 });
    await bench.queue.fail(claimed, "worker-a", "It crashed.");
    const next = await bench.other.queue.claim("worker-b");
    expect(next).toEqual({ ...claimed, state: latest });
    expect((await find(job.id))?.progress).toEqual({ step: 9, of: 28 });
  });

  it("of several results count the steps of all, also where their progress is shown again", async () => {
    const edit = { ...EDIT, numSteps: 28, numImages: 3 };
    const { job, claimed } = await bench.start("worker-a", { edit });
    const latest = await keep(claimed, 56);
    await bench.queue.fail(claimed, "worker-a", "It crashed.");
    expect((await find(job.id))?.progress).toEqual({ step: 56, of: 84 });
    expect(await bench.other.queue.claim("worker-b")).toEqual({ ...claimed, state: latest });
  });

  it("are needed while the job may go on from them; those before them are deleted", async () => {
    const { claimed } = await bench.start("worker-a");
    const first = await keep(claimed, 5);
    expect(await deleted()).toEqual([]);
    const second = await keep(claimed, 9);
    expect(await deleted()).toEqual([first.key]);
    expect(await deleted()).toEqual([]);
    await bench.queue.fail(claimed, "worker-a", "It crashed.");
    expect(await deleted()).toEqual([]);
    expect(await findNeeded(bench.context, [first.key, second.key])).toEqual(new Set([second.key]));
  });

  it.each<[string, (claimed: ClaimedJob) => Promise<unknown>]>([
    [
      "is completed",
      (claimed) => bench.queue.finish(claimed, "worker-a", { status: "completed", result: resultOf() }),
    ],
    ["has failed", (claimed) => bench.queue.finish(claimed, "worker-a", { status: "failed", error: "No." })],
    [
      "ran out of time",
      (claimed) => bench.queue.finish(claimed, "worker-a", { status: "timedOut", error: "Late." }),
    ],
    ["was cancelled", ({ id }) => bench.jobs.cancel(id, "key-one")],
    ["outlived its ttl", () => bench.age(86_400)],
    ["outlived its ttl and its record", () => bench.age(86_400 + 60)],
  ])("are gone once the job %s", async (_, end) => {
    const { job, claimed } = await bench.start("worker-a");
    const { key } = await keep(claimed, 5);
    await end(claimed);
    // Its ttl is the maintenance's own work, and comes first.
    expect(await deleted()).toContain(key);
    expect(await findNeeded(bench.context, [key])).toEqual(new Set());
    const [row] = await bench.database.query(`select kept_state from ${bench.schema}.jobs where id = $1`, [
      job.id,
    ]);
    expect(row?.["kept_state"] ?? null).toBeNull();
  });

  it("are gone before the job is retried, which starts from the beginning", async () => {
    const { job, claimed } = await bench.start("worker-a");
    await keep(claimed, 5);
    await bench.queue.finish(claimed, "worker-a", { status: "failed", error: "No." });
    await bench.jobs.retry(job.id, "key-one");
    expect(await bench.queue.claim("worker-b")).toEqual({ ...claimed, attempt: 1 });
  });

  it("can only be written by the worker that has the job", async () => {
    const { job, claimed } = await bench.start("worker-a");
    const { key } = await keep(claimed, 5);
    expect(await bench.other.queue.keepState(claimed, "worker-b", stateAfter(6))).toBe(false);
    const later = { ...claimed, attempt: 2 };
    expect(await bench.other.queue.keepState(later, "worker-a", stateAfter(6))).toBe(false);
    await bench.jobs.cancel(job.id, "key-one");
    expect(await bench.queue.keepState(claimed, "worker-a", stateAfter(6))).toBe(false);
    expect(await deleted()).toEqual([key]);
  });

  it("outlive the embedded database's process, and the job's being given back", async () => {
    const { claimed } = await bench.start("worker-a");
    const state = await keep(claimed, 5);
    await bench.queue.handBack(claimed, "worker-a");
    const second = (await bench.queue.claim("worker-b"))!;
    expect(second).toEqual({ ...claimed, state });
    await abandonLeases(bench.context);
    expect(await deleted()).toEqual([]);
    expect(await bench.queue.claim("worker-c")).toMatchObject({ id: claimed.id, state });
  });

  describe("decide which attempts count", () => {
    /** One attempt that keeps these states and is then lost. @returns the attempt's number, or nothing without a job */
    async function lose(...steps: number[]): Promise<number | undefined> {
      const claimed = await bench.queue.claim("worker-a");
      if (claimed === undefined) return undefined;
      for (const step of steps) await keep(claimed, step);
      await bench.queue.fail(claimed, "worker-a", "It crashed.");
      return claimed.attempt;
    }

    it("those that got further cost none, however many there are", async () => {
      const { job, claimed } = await bench.start("worker-a");
      await bench.queue.handBack(claimed, "worker-a");
      for (const step of [2, 4, 7, 11, 20]) expect(await lose(step)).toBe(1);
      expect(await find(job.id)).toMatchObject({ status: "queued" });
    });

    it("those that end at the same step each time do, and the job fails after as many as any other", async () => {
      const { job, claimed } = await bench.start("worker-a");
      await bench.queue.handBack(claimed, "worker-a");
      expect(await lose(2, 4)).toBe(1);
      expect(await lose()).toBe(1);
      // It keeps what was kept before, which is no step further.
      expect(await lose(3, 4)).toBe(2);
      expect(await find(job.id)).toMatchObject({ status: "failed", error: "It crashed." });
      expect(await lose()).toBeUndefined();
    });

    it("a state that could not be read, and was kept again up to there, is no step further either", async () => {
      const { job, claimed } = await bench.start("worker-a");
      await bench.queue.handBack(claimed, "worker-a");
      await lose(10);
      await lose(5);
      await lose(5, 9, 10);
      expect(await find(job.id)).toMatchObject({ status: "failed" });
    });
  });
});
