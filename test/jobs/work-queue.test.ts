import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { quoted } from "../../src/database/migrations.ts";
import type { ClaimedJob, JobOutcome } from "../../src/jobs/job.ts";
import type { Jobs } from "../../src/jobs/contracts.ts";
import { createJobs } from "../../src/jobs/owner-jobs.ts";
import { createWorkQueue } from "../../src/jobs/work-queue.ts";
import { describeOnDatabases, EDIT, newJob, OTHER_ENDPOINT, policy, resultOf } from "../support/jobs.ts";

const DONE: JobOutcome = { status: "completed", result: resultOf() };

describeOnDatabases("the work queue", (bench) => {
  const submit = async (changes: Parameters<typeof newJob>[0] = {}): Promise<string> =>
    (await bench.jobs.submit(newJob(changes))).job.id;
  const find = (id: string) => bench.other.jobs.find(id, "key-one");
  const claimAll = async (): Promise<ClaimedJob[]> => {
    const claimed: ClaimedJob[] = [];
    for (let job; (job = await bench.queue.claim("worker-a"));) claimed.push(job);
    return claimed;
  };

  it("hands out jobs in the order of their submission, and those of low priority last", async () => {
    const low = await submit(policy({ isLowPriority: true }));
    const normal = [await submit(), await submit()];
    const lower = await submit(policy({ isLowPriority: true }));
    const last = await submit();
    expect((await claimAll()).map(({ id }) => id)).toEqual([...normal, last, low, lower]);
  });

  it("hands out what is to be done, and says whose it is", async () => {
    const { job, claimed } = await bench.start("worker-a", policy({ executionTimeoutMs: 7000 }));
    const { id, keyId } = job;
    expect(claimed).toEqual({
      id,
      endpoint: "",
      keyId,
      attempt: 1,
      edit: EDIT,
      executionTimeoutMs: 7000,
    });
    expect(await find(job.id)).toEqual({
      ...job,
      status: "running",
      workerId: "worker-a",
      startedAt: expect.any(Date),
      delayMs: expect.any(Number),
      executionMs: expect.any(Number),
    });
  });

  it("hands out no job twice, however many ask at once", async () => {
    for (let count = 0; count < 8; count += 1) await submit();
    const claims = await Promise.all(
      Array.from({ length: 16 }, (_, at) => [bench, bench.other][at % 2]!.queue.claim(`worker-${at}`)),
    );
    const ids = claims.flatMap((claimed) => claimed?.id ?? []);
    expect(ids).toHaveLength(8);
    expect(new Set(ids).size).toBe(8);
  });

  it("hands out what was queued before the clock was set back, and lets the queue's own housekeeping delete nothing", async () => {
    const id = await submit();
    const queued = `${quoted(`${bench.database.schema}_queue`)}.job`;
    const [row] = await bench.database.query<{ years: number }>(
      `select extract(year from keep_until)::int - extract(year from created_on)::int as years from ${queued}`,
    );
    // The longest life of a job is a week; the clock may be wrong by much more.
    expect(row!.years).toBeGreaterThanOrEqual(9);
    await bench.database.query(
      `update ${queued} set start_after = start_after + interval '20 seconds', created_on = created_on + interval '20 seconds'`,
    );
    expect((await claimAll()).map((claimed) => claimed.id)).toEqual([id]);
  });

  it("hands out nothing that was cancelled or whose time has passed", async () => {
    await submit(policy({ ttlMs: 10_000 }));
    await bench.age(10);
    await bench.jobs.cancel(await submit(), "key-one");
    const id = await submit();
    expect((await claimAll()).map((claimed) => claimed.id)).toEqual([id]);
  });

  it("lets a job be cancelled in the moment in which it is handed out", async () => {
    const id = await submit();
    let release = (): void => {};
    const held = new Promise<void>((resolve) => (release = resolve));
    let hasFetched = (): void => {};
    const fetched = new Promise<void>((resolve) => (hasFetched = resolve));
    const { context } = bench.other;
    const slow = createWorkQueue({
      ...context,
      queue: {
        ...context.queue,
        async fetch(sql, endpoint) {
          const next = await context.queue.fetch(sql, endpoint);
          hasFetched();
          await held;
          return next;
        },
      },
    });
    const claim = slow.claim("worker-a");
    await fetched;
    const cancel = bench.jobs.cancel(id, "key-one");
    // On PostgreSQL the cancellation has the job now, and waits for its place in the queue.
    await delay(100);
    release();
    await claim;
    expect(await cancel).toMatchObject({ status: "cancelled" });
    expect(await find(id)).toMatchObject({ status: "cancelled" });
    expect(await claimAll()).toEqual([]);
  });

  it("wakes workers of all processes when a job is queued", async () => {
    let calls = 0;
    const stop = bench.other.queue.onQueued(() => (calls += 1));
    await submit();
    await expect.poll(() => calls).toBe(1);
    const claimed = (await bench.queue.claim("worker-a"))!;
    await bench.queue.handBack(claimed, "worker-a");
    await expect.poll(() => calls).toBe(2);
    stop();
  });

  it("tells a worker of another process when its job was cancelled", async () => {
    const { job } = await bench.start("worker-a");
    const { job: another } = await bench.start("worker-b");
    const heard: string[] = [];
    const stops = [job, another].map(({ id }) => bench.other.queue.onChanged(id, () => heard.push(id)));
    await bench.jobs.cancel(job.id, "key-one");
    await expect.poll(() => heard).toEqual([job.id]);
    for (const stop of stops) stop();
  });

  describe("lets a worker", () => {
    it("renew its lease, which then counts from now", async () => {
      const { claimed } = await bench.start("worker-a");
      await bench.age(50);
      expect(await bench.other.queue.renew(claimed, "worker-a")).toBe(true);
      const [row] = await bench.database.query<{ seconds: number }>(
        `select extract(epoch from lease_until - clock_timestamp())::float8 as seconds from ${bench.schema}.jobs`,
      );
      expect(row!.seconds).toBeGreaterThan(55);
    });

    it("publish progress, the latest of which is the job's", async () => {
      const { job, claimed } = await bench.start("worker-a");
      for (const step of [0, 14]) {
        expect(await bench.queue.progress(claimed, "worker-a", { step, of: 28 })).toBe(true);
      }
      expect((await find(job.id))?.progress).toEqual({ step: 14, of: 28 });
    });

    it.each([
      ["completed", DONE],
      ["failed", { status: "failed", error: "image is empty." }],
      ["timedOut", { status: "timedOut", error: "The job ran for too long." }],
    ] as const)("end a job as %s, once", async (_, outcome) => {
      const { job, claimed } = await bench.start("worker-a");
      expect(await bench.queue.finish(claimed, "worker-a", outcome)).toBe(true);
      const ended = await find(job.id);
      expect(ended).toMatchObject({ ...outcome, workerId: "worker-a", endedAt: expect.any(Date) });
      for (const other of [DONE, { status: "failed", error: "Another." } as const]) {
        expect(await bench.queue.finish(claimed, "worker-a", other)).toBe(false);
      }
      expect(await find(job.id)).toEqual(ended);
    });

    it("give a job back, which costs no attempt and leaves nothing behind", async () => {
      const { job, claimed } = await bench.start("worker-a");
      await bench.queue.progress(claimed, "worker-a", { step: 1, of: 28 });
      expect(await bench.queue.handBack(claimed, "worker-a")).toBe(true);
      expect(await find(job.id)).toEqual(job);
      const taken = await bench.jobs.takeChunks(job.id, "key-one", { waitMs: 0 });
      expect(taken?.chunks).toEqual([]);
      expect(await bench.queue.claim("worker-b")).toEqual(claimed);
    });

    it("give a job back to its priority", async () => {
      const { job, claimed } = await bench.start("worker-a", policy({ isLowPriority: true }));
      await bench.queue.handBack(claimed, "worker-a");
      const normal = await submit();
      expect((await claimAll()).map(({ id }) => id)).toEqual([normal, job.id]);
    });

    it("fail an attempt: the job is queued until there are no attempts left, and then it has failed", async () => {
      const { job, claimed } = await bench.start("worker-a");
      expect(await bench.queue.fail(claimed, "worker-a", "It crashed.")).toBe(true);
      expect(await find(job.id)).toEqual(job);
      const second = (await bench.queue.claim("worker-a"))!;
      expect(second).toEqual({ ...claimed, attempt: 2 });
      expect(await bench.queue.fail(second, "worker-a", "It crashed again.")).toBe(true);
      expect(await find(job.id)).toMatchObject({ status: "failed", error: "It crashed again." });
      expect(await claimAll()).toEqual([]);
    });
  });

  /** Everything that a worker can do to its job. */
  const touchAll = (claimed: ClaimedJob, workerId: string): Promise<boolean[]> =>
    Promise.all([
      bench.other.queue.renew(claimed, workerId),
      bench.other.queue.progress(claimed, workerId, { step: 28, of: 28 }),
      bench.other.queue.finish(claimed, workerId, DONE),
      bench.other.queue.fail(claimed, workerId, "It crashed."),
      bench.other.queue.handBack(claimed, workerId),
    ]);
  const NONE = Array(5).fill(false);

  describe("lets nobody touch a job", () => {
    it.each([
      ["cancelled", (id: string) => bench.jobs.cancel(id, "key-one")],
      [
        "completed",
        (_id: string, claimed: ClaimedJob) => bench.queue.finish(claimed, "worker-a", { ...DONE }),
      ],
    ])("that is %s", async (_, end) => {
      const { job, claimed } = await bench.start("worker-a");
      await end(job.id, claimed);
      const ended = await find(job.id);
      expect(await touchAll(claimed, "worker-a")).toEqual(NONE);
      expect(await find(job.id)).toEqual(ended);
    });

    it("that is another worker's", async () => {
      const { job, claimed } = await bench.start("worker-a");
      expect(await touchAll(claimed, "worker-b")).toEqual(NONE);
      expect(await find(job.id)).toMatchObject({ status: "running", workerId: "worker-a" });
    });

    it("of an attempt that was given up, while the next one runs and by the same worker too", async () => {
      const { job, claimed } = await bench.start("worker-a");
      await bench.queue.fail(claimed, "worker-a", "It crashed.");
      const next = (await bench.queue.claim("worker-a"))!;
      expect(await touchAll(claimed, "worker-a")).toEqual(NONE);
      expect(await find(job.id)).toMatchObject({ status: "running" });
      expect(await bench.queue.finish(next, "worker-a", DONE)).toBe(true);
    });
  });
});

describeOnDatabases("the queues of two endpoints", (bench) => {
  const other = (): Jobs => createJobs(bench.context, OTHER_ENDPOINT);

  it("hand out their own jobs alone, which only their own callers see", async () => {
    const { job } = await other().submit(newJob());
    expect(await bench.queue.claim("worker-a")).toBeUndefined();
    expect(await bench.jobs.find(job.id, "key-one")).toBeUndefined();
    expect(await bench.jobs.cancel(job.id, "key-one")).toBeUndefined();
    expect(await bench.jobs.purge("key-one")).toBe(0);
    const claimed = (await bench.queue.claim("worker-a", OTHER_ENDPOINT))!;
    expect(claimed).toMatchObject({ id: job.id, endpoint: OTHER_ENDPOINT });
    expect(await bench.queue.handBack(claimed, "worker-a")).toBe(true);
    expect(await bench.queue.claim("worker-a")).toBeUndefined();
    expect(await bench.queue.claim("worker-b", OTHER_ENDPOINT)).toMatchObject({ id: job.id, attempt: 1 });
  });

  it("tell which has a job, one of normal priority first", async () => {
    const both = ["", OTHER_ENDPOINT];
    expect(await bench.queue.nextEndpoint(both)).toBeUndefined();
    await bench.jobs.submit(newJob(policy({ isLowPriority: true })));
    expect(await bench.queue.nextEndpoint(both)).toBe("");
    expect(await bench.queue.nextEndpoint([OTHER_ENDPOINT])).toBeUndefined();
    await other().submit(newJob());
    expect(await bench.queue.nextEndpoint(both)).toBe(OTHER_ENDPOINT);
    await bench.jobs.submit(newJob());
    expect(await bench.queue.nextEndpoint(both)).toBe("");
    expect(await bench.queue.nextEndpoint(both.toReversed())).toBe(OTHER_ENDPOINT);
  });

  it("have rounds of their own: many jobs of one endpoint put off none of the other", async () => {
    for (let count = 0; count < 5; count += 1) await bench.jobs.submit(newJob());
    for (let count = 0; count < 5; count += 1) await bench.queue.claim("worker-a");
    await other().submit(newJob({ keyId: "key-two" }));
    await other().submit(newJob({ keyId: "key-two" }));
    const { job } = await other().submit(newJob());
    await bench.queue.claim("worker-a", OTHER_ENDPOINT);
    expect(await bench.queue.claim("worker-a", OTHER_ENDPOINT)).toMatchObject({ id: job.id });
  });
});
