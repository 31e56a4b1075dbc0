import { describe, expect, it } from "vitest";
import type { Job, JobOutcome } from "../../src/jobs/job.ts";
import { describeOnDatabases, newJob, policy, resultOf } from "../support/jobs.ts";
import { refusal } from "../support/refusal.ts";

const DONE: JobOutcome = { status: "completed", result: resultOf() };
const FAILED: JobOutcome = { status: "failed", error: "image is empty." };
const OWNER = "key-one";

describeOnDatabases("the owner of a job", (bench) => {
  const submit = async (changes: Parameters<typeof newJob>[0] = {}): Promise<Job> =>
    (await bench.jobs.submit(newJob(changes))).job;
  /** A job that has ended, or runs where no outcome is given. */
  const ran = async (outcome?: JobOutcome, changes: Parameters<typeof newJob>[0] = {}): Promise<Job> => {
    const { job, claimed } = await bench.start("worker-a", changes);
    if (outcome) await bench.queue.finish(claimed, "worker-a", outcome);
    return (await bench.jobs.find(job.id, job.keyId))!;
  };

  it("is the only one for whom it exists", async () => {
    const { id } = await ran(FAILED);
    const calls = (keyId: string): Promise<unknown>[] => [
      bench.jobs.find(id, keyId),
      bench.jobs.waitForEnd(id, keyId, { waitMs: 1000 }),
      bench.jobs.takeChunks(id, keyId, { waitMs: 0 }),
      bench.jobs.shortenRetention(id, keyId, 1_800_000),
      bench.jobs.cancel(id, keyId),
      bench.jobs.retry(id, keyId),
    ];
    expect(await Promise.all(calls("key-two"))).toEqual(Array(6).fill(undefined));
    expect(await Promise.all(calls(OWNER))).not.toContain(undefined);
  });

  describe("waits for its end", () => {
    it("which another process brings about", async () => {
      const { job, claimed } = await bench.start("worker-a");
      const waiting = bench.jobs.waitForEnd(job.id, OWNER, { waitMs: 60_000 });
      await bench.other.queue.finish(claimed, "worker-a", DONE);
      expect(await waiting).toMatchObject({ id: job.id, status: "completed", result: resultOf() });
    });

    it("and is told the job's state of then when the time is up first", async () => {
      const job = await submit();
      const waiting = bench.jobs.waitForEnd(job.id, OWNER, { waitMs: 300 });
      const begun = performance.now();
      await bench.queue.claim("worker-a");
      expect(await waiting).toMatchObject({ status: "running", workerId: "worker-a" });
      expect(performance.now() - begun).toBeGreaterThan(200);
    });

    it("until the signal, and not at all after it", async () => {
      const job = await submit();
      const controller = new AbortController();
      const options = { waitMs: 60_000, signal: controller.signal };
      const waiting = bench.jobs.waitForEnd(job.id, OWNER, options);
      controller.abort();
      expect(await waiting).toMatchObject({ status: "queued" });
      expect(await bench.jobs.waitForEnd(job.id, OWNER, options)).toMatchObject({ status: "queued" });
    });

    it("and not for that of a job that has ended", async () => {
      const job = await ran(DONE);
      expect(await bench.jobs.waitForEnd(job.id, OWNER, { waitMs: 60_000 })).toEqual(job);
    });
  });

  describe("cancels", () => {
    it.each([
      ["a queued job", () => submit(), {}],
      ["a running job", () => ran(), { workerId: "worker-a", startedAt: expect.any(Date) }],
    ])("%s", async (_, make, more) => {
      const job = await make();
      const cancelled = await bench.jobs.cancel(job.id, OWNER);
      expect(cancelled).toMatchObject({
        id: job.id,
        status: "cancelled",
        endedAt: expect.any(Date),
        ...more,
      });
      expect(await bench.other.jobs.find(job.id, OWNER)).toEqual(cancelled);
      expect(await bench.queue.claim("worker-b")).toBeUndefined();
    });

    it.each([
      ["completed", DONE],
      ["failed", FAILED],
    ])("no job that has %s", async (_, outcome) => {
      const job = await ran(outcome);
      expect(await bench.jobs.cancel(job.id, OWNER)).toEqual(job);
    });

    it("nothing that is unknown or expired", async () => {
      expect(await bench.jobs.cancel("unknown", OWNER)).toBeUndefined();
      const job = await submit(policy({ ttlMs: 10_000 }));
      await bench.age(10);
      expect(await bench.jobs.cancel(job.id, OWNER)).toBeUndefined();
    });
  });

  describe("retries", () => {
    it.each([
      ["failed", FAILED],
      ["timedOut", { status: "timedOut", error: "The job ran for too long." }],
    ] as const)("a job that is %s, under its id and as if it were new", async (_, outcome) => {
      const job = await ran(outcome, policy({ ttlMs: 100_000 }));
      await bench.age(60);
      const retried = (await bench.jobs.retry(job.id, OWNER))!;
      expect(retried).toEqual({
        id: job.id,
        keyId: OWNER,
        isSync: false,
        status: "queued",
        submittedAt: expect.any(Date),
        retries: 1,
        baseUrl: job.baseUrl,
      });
      expect(retried.submittedAt.getTime()).toBeGreaterThanOrEqual(job.submittedAt.getTime());
      // Its life begins anew: that of before would be over.
      await bench.age(60);
      expect(await bench.queue.claim("worker-b")).toMatchObject({ id: job.id, attempt: 1 });
      expect((await bench.jobs.health()).jobs.retried).toBe(1);
    });

    it("a job again and again", async () => {
      const { id } = await ran(FAILED);
      for (const retries of [1, 2]) {
        expect(await bench.jobs.retry(id, OWNER)).toMatchObject({ retries });
        const claimed = (await bench.queue.claim("worker-a"))!;
        await bench.queue.finish(claimed, "worker-a", FAILED);
      }
      expect(await bench.jobs.find(id, OWNER)).toMatchObject({ status: "failed", retries: 2 });
    });

    it("a job once, however often it is asked at the same moment", async () => {
      const { id } = await ran(FAILED);
      const all = await Promise.allSettled(
        [bench, bench.other, bench].map(({ jobs }) => jobs.retry(id, OWNER)),
      );
      expect(all.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
      expect(await bench.queue.claim("worker-a")).toMatchObject({ id });
      expect(await bench.queue.claim("worker-a")).toBeUndefined();
    });

    it.each([
      ["queued", () => submit()],
      ["running", () => ran()],
      ["completed", () => ran(DONE)],
      ["cancelled", async () => (await bench.jobs.cancel((await submit()).id, OWNER))!],
    ])("no job that is %s", async (_, make) => {
      const job = await make();
      await expect(bench.jobs.retry(job.id, OWNER)).rejects.toEqual(
        refusal("NOT_RETRYABLE", "Only failed and timed-out jobs can be retried."),
      );
      expect((await bench.jobs.find(job.id, OWNER))?.status).toBe(job.status);
      expect((await bench.jobs.health()).jobs.retried).toBe(0);
    });

    it("nothing that is unknown or expired", async () => {
      const { id } = await ran(FAILED);
      await bench.age(1801);
      for (const gone of [id, "unknown"]) expect(await bench.jobs.retry(gone, OWNER)).toBeUndefined();
    });
  });

  it("purges the own queued jobs and no others", async () => {
    const running = await ran();
    const queued = [await submit(), await submit(policy({ isLowPriority: true }))];
    const foreign = await submit({ keyId: "key-two" });
    expect(await bench.jobs.purge(OWNER)).toBe(2);
    for (const { id } of queued) expect((await bench.jobs.find(id, OWNER))?.status).toBe("cancelled");
    expect((await bench.jobs.find(running.id, OWNER))?.status).toBe("running");
    expect(await bench.queue.claim("worker-b")).toMatchObject({ id: foreign.id });
    expect(await bench.jobs.purge(OWNER)).toBe(0);
  });

  it("lists the own jobs that have not expired, newest first and by the page", async () => {
    await submit(policy({ ttlMs: 10_000 }));
    await bench.age(10);
    const ids: string[] = [];
    for (let count = 0; count < 3; count += 1) ids.unshift((await submit()).id);
    await submit({ keyId: "key-two" });
    const page = async (offset: number, limit: number): Promise<unknown> => {
      const { jobs, total } = await bench.jobs.list(OWNER, { offset, limit });
      return { ids: jobs.map(({ id }) => id), total };
    };
    expect(await page(0, 2)).toEqual({ ids: ids.slice(0, 2), total: 3 });
    expect(await page(2, 2)).toEqual({ ids: ids.slice(2), total: 3 });
    expect(await page(4, 2)).toEqual({ ids: [], total: 3 });
  });

  describe("shortens the life of a result", () => {
    it("counted from the call, and never lengthens it", async () => {
      const { id } = await ran(DONE);
      expect(await bench.jobs.shortenRetention(id, OWNER, 60_000)).toMatchObject({ id });
      await bench.age(50);
      expect(await bench.jobs.shortenRetention(id, OWNER, 60_000)).toMatchObject({ id });
      await bench.age(10);
      expect(await bench.jobs.find(id, OWNER)).toBeUndefined();
    });

    it("and not that of a job that goes on", async () => {
      const { id } = await ran();
      await bench.jobs.shortenRetention(id, OWNER, 1000);
      await bench.age(60);
      expect(await bench.jobs.find(id, OWNER)).toMatchObject({ id, status: "running" });
    });
  });
});
