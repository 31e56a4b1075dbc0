import { beforeEach, describe, expect, it } from "vitest";
import type { Jobs } from "../../src/jobs/contracts.ts";
import type { NewJob } from "../../src/jobs/job.ts";
import type { EditSpeed } from "../../src/engine/estimate.ts";
import { createMaintenance } from "../../src/jobs/maintenance.ts";
import { createJobs } from "../../src/jobs/owner-jobs.ts";
import { describeOnDatabases, EDIT, newJob, policy, resultOf } from "../support/jobs.ts";
import { refusal } from "../support/refusal.ts";

const repeatable = (changes: Partial<NonNullable<NewJob["idempotency"]>> = {}): Partial<NewJob> => ({
  idempotency: { route: "run", key: "order-1", bodyHash: "a-body", ...changes },
});

describeOnDatabases("a submitted job", (bench) => {
  const countOf = async (table: string): Promise<number> => {
    const [row] = await bench.database.query<{ count: number }>(
      `select count(*) as count from ${bench.schema}.${table}`,
    );
    return row!.count;
  };

  it("is queued, and known at once, in other processes too", async () => {
    const { job, isRepeat } = await bench.jobs.submit(newJob());
    expect(isRepeat).toBe(false);
    expect(job).toEqual({
      id: expect.stringMatching(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}-u1$/),
      keyId: "key-one",
      isSync: false,
      status: "queued",
      submittedAt: expect.any(Date),
      retries: 0,
      baseUrl: "http://retouch.example",
    });
    expect(await bench.other.jobs.find(job.id, "key-one")).toEqual(job);
  });

  it("has an id that says whether its caller waits", async () => {
    const { job } = await bench.jobs.submit(newJob({ isSync: true }));
    expect(job).toMatchObject({ id: expect.stringMatching(/^sync-[0-9a-f-]{36}-u1$/), isSync: true });
  });

  describe("with an idempotency key", () => {
    it("is the same for the same body, however often it is sent", async () => {
      const { job } = await bench.jobs.submit(newJob(repeatable()));
      for (const { jobs } of [bench, bench.other]) {
        expect(await jobs.submit(newJob(repeatable()))).toEqual({ job, isRepeat: true });
      }
      expect(await countOf("jobs")).toBe(1);
    });

    it("answers a repeat with how far it has come", async () => {
      const { job, claimed } = await bench.start("worker-a", repeatable());
      await bench.queue.finish(claimed, "worker-a", { status: "completed", result: resultOf() });
      const repeat = await bench.jobs.submit(newJob(repeatable()));
      expect(repeat).toMatchObject({ job: { id: job.id, status: "completed", result: resultOf() } });
    });

    it("lets a repeat wait for the end of the first", async () => {
      const sync = { isSync: true, ...repeatable({ route: "runsync" }) };
      const { job, claimed } = await bench.start("worker-a", sync);
      const repeat = await bench.other.jobs.submit(newJob(sync));
      expect(repeat).toMatchObject({ job: { id: job.id, status: "running" }, isRepeat: true });
      const ends = [bench.jobs, bench.other.jobs].map((jobs) =>
        jobs.waitForEnd(repeat.job.id, "key-one", { waitMs: 60_000 }),
      );
      await bench.queue.finish(claimed, "worker-a", { status: "completed", result: resultOf() });
      for (const end of ends) expect(await end).toMatchObject({ id: job.id, status: "completed" });
    });

    it.each([
      ["API key", { keyId: "key-two", ...repeatable() }],
      ["route", repeatable({ route: "runsync" })],
      ["idempotency key", repeatable({ key: "order-2" })],
    ])("is another one for another %s", async (_, changes) => {
      const { job } = await bench.jobs.submit(newJob(repeatable()));
      const another = await bench.jobs.submit(newJob(changes));
      expect(another.isRepeat).toBe(false);
      expect(another.job.id).not.toBe(job.id);
    });

    it("is refused with another body, and leaves nothing", async () => {
      await bench.jobs.submit(newJob(repeatable()));
      await expect(bench.jobs.submit(newJob(repeatable({ bodyHash: "another" })))).rejects.toEqual(
        refusal("IDEMPOTENCY_CONFLICT", /^Idempotency-Key was used before on this route with another body;/),
      );
      expect(await countOf("jobs")).toBe(1);
    });

    it("is made once of many that come at the same moment, and all but one are called repeats", async () => {
      const all = await Promise.all(
        [bench, bench.other, bench, bench.other].map(({ jobs }) => jobs.submit(newJob(repeatable()))),
      );
      expect(new Set(all.map(({ job }) => job.id)).size).toBe(1);
      expect(all.filter(({ isRepeat }) => !isRepeat)).toHaveLength(1);
      expect(await countOf("jobs")).toBe(1);
      expect(await bench.queue.claim("worker-a")).toBeDefined();
      expect(await bench.queue.claim("worker-a")).toBeUndefined();
    });

    it("is refused to all but one body of many that come at the same moment", async () => {
      const all = await Promise.allSettled(
        ["a", "b", "c"].map((bodyHash, at) =>
          [bench, bench.other][at % 2]!.jobs.submit(newJob(repeatable({ bodyHash }))),
        ),
      );
      const refused = all.filter(({ status }) => status === "rejected");
      expect(refused.map((one) => (one as PromiseRejectedResult).reason.code)).toEqual(
        Array(2).fill("IDEMPOTENCY_CONFLICT"),
      );
      expect(await countOf("jobs")).toBe(1);
    });

    it("takes the key with it when its submission fails", async () => {
      const { context } = bench;
      const send = (): Promise<void> => Promise.reject(new Error("The disk is full."));
      const jobs = createJobs({ ...context, queue: { ...context.queue, send } });
      await expect(jobs.submit(newJob(repeatable()))).rejects.toThrow("The disk is full.");
      expect((await bench.jobs.submit(newJob(repeatable()))).isRepeat).toBe(false);
    });

    it("is found by a repeat for 24 hours, long after its result is gone for others", async () => {
      const maintenance = createMaintenance(bench.context, { deleteInput: async () => {}, onError: raise });
      const { job, claimed } = await bench.start("worker-a", repeatable());
      await bench.queue.finish(claimed, "worker-a", { status: "completed", result: resultOf() });
      await bench.age(24 * 3600 - 60);
      await maintenance.run();
      expect(await bench.jobs.find(job.id, "key-one")).toBeUndefined();
      expect(await bench.jobs.submit(newJob(repeatable()))).toMatchObject({
        job: { id: job.id, status: "completed" },
        isRepeat: true,
      });
      await bench.age(61);
      await maintenance.run();
      expect(await countOf("idempotency_keys")).toBe(0);
      expect(await bench.jobs.submit(newJob(repeatable({ bodyHash: "another" })))).toMatchObject({
        isRepeat: false,
      });
    });

    it("is found by a repeat as long as it is kept, if that is longer", async () => {
      const maintenance = createMaintenance(bench.context, { deleteInput: async () => {}, onError: raise });
      const { job } = await bench.jobs.submit(newJob({ ...policy({ ttlMs: 604_800_000 }), ...repeatable() }));
      await bench.age(6 * 24 * 3600);
      await maintenance.run();
      expect(await bench.jobs.submit(newJob(repeatable()))).toMatchObject({
        job: { id: job.id },
        isRepeat: true,
      });
    });
  });

  describe("beside many others", () => {
    const limited = (): Jobs => {
      const { context } = bench;
      return createJobs({
        ...context,
        settings: { ...context.settings, maxQueued: 2, maxQueuedPerWorker: 4 },
      });
    };
    let jobs: Jobs;
    beforeEach(() => {
      jobs = limited();
    });
    const full = refusal(
      "QUEUE_FULL",
      "3 jobs of this key are waiting already, which is the limit; try again later.",
    );

    it("is refused beyond the limit, whatever the burst", async () => {
      const all = await Promise.allSettled(Array.from({ length: 10 }, () => jobs.submit(newJob())));
      const refused = all.filter(({ status }) => status === "rejected") as PromiseRejectedResult[];
      expect(refused).toHaveLength(7);
      for (const { reason } of refused) expect(reason).toEqual(full);
    });

    it("is refused for those that wait, not for those that run", async () => {
      for (let count = 0; count < 3; count += 1) await jobs.submit(newJob());
      await expect(jobs.submit(newJob())).rejects.toEqual(full);
      await bench.queue.claim("worker-a");
      // Who was looked up within the last second is remembered.
      expect(await limited().submit(newJob())).toMatchObject({ isRepeat: false });
    });

    it("is taken up to a higher limit where more workers give signs of life", async () => {
      for (const id of ["worker-a", "worker-b"])
        await bench.queue.report({ id, status: "running", endpoints: { "": {} } });
      await bench.age(61);
      for (const id of ["worker-b", "worker-c"])
        await bench.queue.report({ id, status: "idle", endpoints: { "": {} } });
      const all = await Promise.allSettled(Array.from({ length: 20 }, () => jobs.submit(newJob())));
      expect(all.filter(({ status }) => status === "fulfilled")).toHaveLength(9);
    });

    it("is taken as a repeat, however many wait", async () => {
      await jobs.submit(newJob(repeatable()));
      for (let count = 0; count < 2; count += 1) await jobs.submit(newJob());
      await expect(jobs.submit(newJob())).rejects.toEqual(full);
      expect(await jobs.submit(newJob(repeatable()))).toMatchObject({ isRepeat: true });
    });
  });

  describe("with an estimate", () => {
    const speed = (stepMs: number): EditSpeed => ({ nativeArea: 2 ** 20, grid: 16, fixedMs: 1000, stepMs });
    const limited = newJob(policy({ executionTimeoutMs: 60_000 }));

    it("is refused where no worker can do it within its limit, with both numbers", async () => {
      await bench.queue.report({ id: "worker-a", status: "idle", endpoints: { "": { speed: speed(5000) } } });
      await bench.queue.report({
        id: "worker-b",
        status: "running",
        endpoints: { "": { speed: speed(3000) } },
      });
      await expect(bench.jobs.submit(limited)).rejects.toEqual(
        refusal(
          "ESTIMATE_TOO_LONG",
          "policy.executionTimeout: this edit takes about 85 s here, and its limit is 60 s; " +
            "ask for fewer steps, a smaller size or a higher limit.",
        ),
      );
      const fewer = { ...limited, edit: { ...EDIT, numSteps: 19 } };
      expect(await bench.jobs.submit(fewer)).toMatchObject({ isRepeat: false });
    });

    it("takes twice as long with a negative prompt, where that has an effect", async () => {
      await bench.queue.report({ id: "worker-a", status: "idle", endpoints: { "": { speed: speed(2000) } } });
      const negative = { ...EDIT, negativePrompt: "stars" };
      await expect(bench.jobs.submit({ ...limited, edit: negative })).rejects.toEqual(
        refusal("ESTIMATE_TOO_LONG", / about 113 s here/),
      );
      for (const edit of [EDIT, { ...negative, trueCfgScale: 1 }, { ...negative, negativePrompt: " " }]) {
        expect(await bench.jobs.submit({ ...limited, edit })).toMatchObject({ isRepeat: false });
      }
    });

    it("is taken, however long it takes, where it names no limit", async () => {
      await bench.queue.report({
        id: "worker-a",
        status: "idle",
        endpoints: { "": { speed: speed(500_000) } },
      });
      const { job } = await bench.jobs.submit(newJob(policy({ executionTimeoutMs: undefined })));
      const claimed = await bench.queue.claim("worker-a");
      expect(claimed).toMatchObject({ id: job.id });
      expect(claimed!.executionTimeoutMs).toBeUndefined();
    });

    it("is left to the limit itself where no worker has measured itself, or none is there", async () => {
      expect(await bench.jobs.submit(limited)).toMatchObject({ isRepeat: false });
      await bench.queue.report({ id: "worker-a", status: "initializing", endpoints: { "": {} } });
      await bench.queue.report({ id: "worker-b", status: "idle", endpoints: { "": { speed: speed(5000) } } });
      await bench.queue.leave("worker-b");
      expect(await createJobs(bench.context).submit(limited)).toMatchObject({ isRepeat: false });
    });
  });
});

function raise(error: unknown): never {
  throw error;
}
