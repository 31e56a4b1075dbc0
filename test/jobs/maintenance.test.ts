import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { JobsContext } from "../../src/jobs/context.ts";
import type { Jobs } from "../../src/jobs/contracts.ts";
import type { ClaimedJob, Job, JobEdit } from "../../src/jobs/job.ts";
import { findNeeded } from "../../src/jobs/pictures.ts";
import { abandonLeases, createMaintenance, type Maintenance } from "../../src/jobs/maintenance.ts";
import { createJobs } from "../../src/jobs/owner-jobs.ts";
import { createKeys } from "../../src/keys/keys.ts";
import { describeOnDatabases, EDIT, newJob, policy, resultOf } from "../support/jobs.ts";

const OWNER = "key-one";

describeOnDatabases("maintenance", (bench) => {
  let deleted: string[];
  let errors: unknown[];
  let undeletable: string | undefined;
  let maintenance: Maintenance;
  beforeEach(() => {
    [deleted, errors, undeletable] = [[], [], undefined];
    maintenance = createMaintenance(bench.context, {
      async deleteInput(key) {
        if (key === undeletable) throw new Error("The storage does not answer.");
        deleted.push(key);
      },
      onError: (error) => errors.push(error),
    });
  });
  afterEach(() => void vi.useRealTimers());
  const find = (id: string): Promise<Job | undefined> => bench.jobs.find(id, OWNER);
  const idsIn = async (table: string): Promise<unknown[]> =>
    (await bench.database.query<{ id: string }>(`select id from ${bench.schema}.${table} order by id`)).map(
      ({ id }) => id,
    );

  describe("when a lease is over", () => {
    it("gives the job to another worker, and takes it from the lost one", async () => {
      const { job, claimed } = await bench.start("worker-a");
      await bench.queue.progress(claimed, "worker-a", { step: 1, of: 28 });
      await bench.age(61);
      await maintenance.run();
      expect(await find(job.id)).toMatchObject({ id: job.id, status: "queued" });
      expect(await bench.queue.renew(claimed, "worker-a")).toBe(false);
      expect(await bench.queue.claim("worker-b")).toEqual({ ...claimed, attempt: 2 });
      expect(await bench.queue.renew(claimed, "worker-a")).toBe(false);
    });

    it("fails the job in a sentence once its attempts are used up", async () => {
      const { job } = await bench.start("worker-a");
      await bench.age(61);
      await maintenance.run();
      await bench.queue.claim("worker-b");
      await bench.age(61);
      await maintenance.run();
      expect(await find(job.id)).toMatchObject({
        status: "failed",
        error: "The worker was lost while it ran this job, 2 times.",
      });
      expect(await bench.queue.claim("worker-a")).toBeUndefined();
    });

    it("does so once, however many processes look", async () => {
      const { job } = await bench.start("worker-a");
      await bench.age(61);
      const both = [bench, bench.other].map(({ context }) =>
        createMaintenance(context, { deleteInput: async () => {}, onError: raise }).run(),
      );
      await Promise.all(both);
      expect(await bench.queue.claim("worker-b")).toMatchObject({ id: job.id, attempt: 2 });
      expect(await bench.queue.claim("worker-b")).toBeUndefined();
    });

    it("leaves a job alone whose lease was renewed", async () => {
      const { job, claimed } = await bench.start("worker-a");
      await bench.age(59);
      await bench.queue.renew(claimed, "worker-a");
      await bench.age(59);
      await maintenance.run();
      expect(await find(job.id)).toMatchObject({ status: "running", workerId: "worker-a" });
    });
  });

  it("takes all jobs from their workers where nobody else can have them", async () => {
    const { job, claimed } = await bench.start("worker-a");
    await bench.queue.report({ id: "worker-a", status: "running", endpoints: { "": {} } });
    await abandonLeases(bench.context);
    await maintenance.run();
    expect(await bench.queue.claim("worker-b")).toMatchObject({ id: job.id, attempt: 2 });
    expect(await bench.queue.renew(claimed, "worker-a")).toBe(false);
    expect((await bench.jobs.health()).workers).toMatchObject({ ready: 0, running: 0 });
  });

  describe("when a ttl is over", () => {
    const short = { ...policy({ ttlMs: 10_000 }), webhook: "http://hooks.example/" };
    const makers = {
      queued: async (): Promise<{ job: Job; claimed?: ClaimedJob }> => bench.jobs.submit(newJob(short)),
      running: () => bench.start("worker-a", short),
    };

    it.each(["queued", "running"] as const)(
      "ends a %s job, and tells all who wait for it",
      async (status) => {
        const { job, claimed } = await makers[status]();
        const { jobs, hasLooked } = lookedAt(bench.other.context);
        const waiting = jobs.waitForEnd(job.id, OWNER, { waitMs: 60_000 });
        await hasLooked;
        await bench.age(10);
        expect(await find(job.id)).toBeUndefined();
        await maintenance.run();
        expect(await waiting).toMatchObject({
          status: "timedOut",
          error: "The job's policy.ttl passed before it was done.",
        });
        expect(await bench.jobs.deliveries(OWNER, { offset: 0, limit: 10 })).toMatchObject([
          { jobId: job.id },
        ]);
        if (claimed) expect(await bench.queue.renew(claimed, "worker-a")).toBe(false);
        expect(await bench.queue.claim("worker-b")).toBeUndefined();
      },
    );

    it("leaves a job with a longer one alone", async () => {
      const { job } = await bench.jobs.submit(newJob(policy({ ttlMs: 11_000 })));
      await bench.age(10);
      await maintenance.run();
      expect(await find(job.id)).toMatchObject({ status: "queued" });
    });
  });

  describe("when a job can no longer run", () => {
    const LINEAGE = { parent: "an-earlier-job", parentImage: 0, turn: 2 };
    const pictureOf = (name: string): JobEdit => ({
      ...EDIT,
      images: [{ kind: "stored", key: `inputs/${name}.bin` }],
    });
    const submit = async (name: string, changes: Parameters<typeof newJob>[0] = {}): Promise<string> => {
      const key = `inputs/${name}.bin`;
      const { job } = await bench.jobs.submit(
        newJob({ edit: pictureOf(name), sources: [{ key, bytes: 7_000_000 }], ...changes }),
      );
      return job.id;
    };
    const run = async (outcome: Parameters<typeof bench.queue.finish>[2]): Promise<void> => {
      const claimed = (await bench.queue.claim("worker-a"))!;
      await bench.queue.finish(claimed, "worker-a", outcome);
    };

    it("deletes its source picture, whoever may still repeat its submission", async () => {
      for (let count = 0; count < 3; count += 1) {
        const idempotency = { route: "run", key: `order-${count}`, bodyHash: "a-body" };
        await bench.jobs.cancel(await submit(`cancelled-${count}`, { idempotency }), OWNER);
      }
      await submit("purged");
      await bench.jobs.purge(OWNER);
      await submit("completed", { edit: { ...pictureOf("completed"), lineage: LINEAGE } });
      await run({ status: "completed", result: resultOf() });
      await submit("waiting");
      await maintenance.run();
      expect(deleted.toSorted()).toEqual([
        "inputs/cancelled-0.bin",
        "inputs/cancelled-1.bin",
        "inputs/cancelled-2.bin",
        "inputs/completed.bin",
        "inputs/purged.bin",
      ]);
      deleted = [];
      await maintenance.run();
      expect(deleted).toEqual([]);
    });

    it.each([
      ["a first edit", undefined],
      ["an edit that was made from the original", { ...LINEAGE, isFromOriginal: true }],
    ])("keeps the original of %s as long as the job, where originals are kept", async (_, lineage) => {
      const mask = { kind: "stored", key: "inputs/mask.bin" } as const;
      const edit = { ...pictureOf("first"), mask, lineage };
      const sources = ["first", "mask"].map((name) => ({ key: `inputs/${name}.bin`, bytes: 1 }));
      const id = await submit("first", { edit, sources });
      await run({ status: "completed", result: resultOf() });
      await bench.age(1799);
      await maintenance.run();
      expect(deleted).toEqual(["inputs/mask.bin"]);
      await bench.jobs.shortenRetention(id, OWNER, 0);
      await maintenance.run();
      expect(deleted).toEqual(["inputs/mask.bin", "inputs/first.bin"]);
    });

    it("deletes the original of a completed edit where originals are not kept", async () => {
      await submit("first");
      await run({ status: "completed", result: resultOf() });
      const settings = { ...bench.context.settings, keepOriginals: false };
      await createMaintenance(
        { ...bench.context, settings },
        { deleteInput: async (key) => void deleted.push(key), onError: raise },
      ).run();
      expect(deleted).toEqual(["inputs/first.bin"]);
    });

    it("keeps the picture of one that can be retried, until that is over", async () => {
      const id = await submit("failed");
      await run({ status: "failed", error: "It failed." });
      await maintenance.run();
      expect(await bench.jobs.retry(id, OWNER)).toMatchObject({ status: "queued" });
      await run({ status: "failed", error: "It failed." });
      await bench.age(1799);
      await maintenance.run();
      expect(deleted).toEqual([]);
      await bench.age(2);
      await maintenance.run();
      expect(deleted).toEqual(["inputs/failed.bin"]);
    });

    it("deletes the picture of one whose ttl passed", async () => {
      await submit("late", policy({ ttlMs: 10_000 }));
      await bench.age(11);
      await maintenance.run();
      await maintenance.run();
      expect(deleted).toEqual(["inputs/late.bin"]);
    });

    it("leaves a picture alone that is the result of another edit", async () => {
      const edit = { ...EDIT, images: [{ kind: "stored", key: "outputs/earlier.png" } as const] };
      await bench.jobs.submit(newJob({ edit }));
      await run({ status: "completed", result: resultOf() });
      await bench.age(2000);
      await maintenance.run();
      expect(await idsIn("jobs")).toEqual([]);
      expect(deleted).toEqual([]);
    });

    const embedded = (name: string): Parameters<typeof bench.queue.finish>[2] => ({
      status: "completed",
      result: { ...resultOf(), image: { kind: "embedded", key: `inline/${name}.png`, bytes: 7_000_000 } },
    });
    const use = async (): Promise<number> => {
      const [row] = await bench.database.query<{ bytes: string | null }>(
        `select sum(bytes) as bytes from ${bench.schema}.pictures where key_id = $1`,
        [OWNER],
      );
      return Number(row!.bytes);
    };

    it("keeps a result without an address as long as its job, counts it, and deletes it with the job", async () => {
      await bench.jobs.submit(newJob(policy({ ttlMs: 40 * 86_400_000, retentionMs: 30 * 86_400_000 })));
      await run(embedded("long"));
      await bench.jobs.submit(newJob());
      await run(embedded("short"));
      expect(await use()).toBe(14_000_000);
      await bench.age(2000);
      // The job goes in the first run, and its result in the next.
      for (let turn = 0; turn < 2; turn += 1) await maintenance.run();
      expect(deleted).toEqual(["inline/short.png"]);
      expect(await use()).toBe(7_000_000);
      // Far longer than results with an address are kept.
      await bench.age(29 * 86_400);
      for (let turn = 0; turn < 2; turn += 1) await maintenance.run();
      expect(deleted).toEqual(["inline/short.png"]);
      expect(await findNeeded(bench.context, ["inline/long.png", "inline/short.png"])).toEqual(
        new Set(["inline/long.png"]),
      );
      await bench.age(86_400);
      for (let turn = 0; turn < 2; turn += 1) await maintenance.run();
      expect(deleted).toEqual(["inline/short.png", "inline/long.png"]);
      expect(await use()).toBe(0);
    });

    it("keeps a result without an address while a webhook has to show it", async () => {
      await bench.jobs.submit(newJob({ webhook: "http://hooks.example/" }));
      await run(embedded("told"));
      await bench.age(2000);
      for (let turn = 0; turn < 2; turn += 1) await maintenance.run();
      expect(await idsIn("jobs")).toEqual([]);
      expect(deleted).toEqual([]);
      await bench.database.query(
        `update ${bench.schema}.webhook_deliveries set status = 'delivered', job = null`,
      );
      await maintenance.run();
      expect(deleted).toEqual(["inline/told.png"]);
    });

    it("deletes all other pictures where one cannot be deleted, says so, and tries it again after a minute", async () => {
      for (const name of ["first", "second", "third"]) await bench.jobs.cancel(await submit(name), OWNER);
      undeletable = "inputs/second.bin";
      await maintenance.run();
      await maintenance.run();
      expect(deleted.toSorted()).toEqual(["inputs/first.bin", "inputs/third.bin"]);
      expect(errors).toEqual([new Error("The storage does not answer.")]);
      undeletable = undefined;
      await bench.age(61);
      await maintenance.run();
      expect(deleted).toContain("inputs/second.bin");
    });

    it("has nothing left to delete where hundreds ended at once", async () => {
      const keys = ["key-a", "key-b", "key-c", "key-d", "key-e"];
      for (let count = 0; count < 230; count += 1) {
        await submit(`many-${count}`, { keyId: keys[count % keys.length]! });
      }
      for (const key of keys) await bench.jobs.purge(key);
      await maintenance.run();
      expect(new Set(deleted).size).toBe(230);
    });
  });

  describe("when a result has been kept long enough", () => {
    it("deletes the job, ten seconds after nobody sees it any more", async () => {
      const ended = async (): Promise<string> => {
        const { job, claimed } = await bench.start("worker-a");
        await bench.queue.finish(claimed, "worker-a", { status: "completed", result: resultOf() });
        return job.id;
      };
      const first = await ended();
      await bench.age(1000);
      const second = await ended();
      await bench.age(805);
      await maintenance.run();
      expect(await find(first)).toBeUndefined();
      expect(await idsIn("jobs")).toHaveLength(2);
      await bench.age(10);
      await maintenance.run();
      expect(await idsIn("jobs")).toEqual([second]);
    });

    it("never deletes a job that goes on", async () => {
      const { job } = await bench.start("worker-a", policy({ ttlMs: 604_800_000 }));
      await bench.age(50);
      await maintenance.run();
      expect(await idsIn("jobs")).toEqual([job.id]);
    });
  });

  it("forgets a webhook 30 days after its job's end, unless it is still to be delivered", async () => {
    for (let count = 0; count < 2; count += 1) {
      const { job } = await bench.jobs.submit(newJob({ webhook: "http://hooks.example/" }));
      await bench.jobs.cancel(job.id, OWNER);
    }
    const deliveries = `${bench.schema}.webhook_deliveries`;
    await bench.database.query(
      `update ${deliveries} set status = 'delivered' where id = (select min(id) from ${deliveries})`,
    );
    const statuses = async (): Promise<string[]> =>
      (await bench.jobs.deliveries(OWNER, { offset: 0, limit: 10 })).map(({ status }) => status);
    await bench.age(30 * 24 * 3600 - 60);
    await maintenance.run();
    expect(await statuses()).toEqual(["pending", "delivered"]);
    await bench.age(120);
    await maintenance.run();
    expect(await statuses()).toEqual(["pending"]);
  });

  it("keeps the newest 10,000 webhooks of each key, and all that are still to be delivered", async () => {
    const deliveries = `${bench.schema}.webhook_deliveries`;
    const keys = `${bench.schema}.api_keys`;
    for (const [id, count] of [
      ["key-many", 10_020],
      ["key-few", 30],
    ]) {
      await bench.database.query(`insert into ${keys} (id, name, prefix, hash) values ($1, '', '', $2)`, [
        id,
        id,
      ]);
      await bench.database.query(
        `insert into ${deliveries} (job_id, key_id, url, status, job)
         select 'job', $1, 'http://hooks.example/', case when number = 5 then 'pending' else 'delivered' end,
                case when number = 5 then '{}'::jsonb end
           from generate_series(1, $2::integer) as number`,
        [id, count],
      );
    }
    await maintenance.run();
    const counts = await bench.database.query(
      `select key_id, count(*) as kept, count(*) filter (where status = 'pending') as pending
         from ${deliveries} group by key_id order by key_id`,
    );
    expect(counts).toEqual([
      { key_id: "key-few", kept: 30, pending: 1 },
      { key_id: "key-many", kept: 10_001, pending: 1 },
    ]);
  });

  it("forgets webhook secrets that have ended, and no others", async () => {
    const keys = createKeys(bench.database, bench.context.events);
    const { record, webhookSecret } = await keys.create("shop");
    const { secret } = (await keys.rotateWebhookSecret(record.id, 60_000))!;
    const secrets = async (): Promise<unknown[]> =>
      (
        await bench.database.query<{ secret: string }>(
          `select secret from ${bench.schema}.webhook_secrets order by id`,
        )
      ).map((row) => row.secret);
    await maintenance.run();
    expect(await secrets()).toEqual([webhookSecret, secret]);
    await bench.age(61);
    // It looks once a minute.
    await maintenance.run();
    expect(await secrets()).toEqual([webhookSecret, secret]);
    await createMaintenance(bench.context, { deleteInput: async () => {}, onError: raise }).run();
    expect(await secrets()).toEqual([secret]);
    keys.close();
  });

  it("forgets workers a minute after their last sign of life", async () => {
    await bench.queue.report({ id: "worker-a", status: "idle", endpoints: { "": {} } });
    await bench.age(50);
    await bench.queue.report({ id: "worker-b", status: "idle", endpoints: { "": {} } });
    await bench.age(11);
    await maintenance.run();
    expect(await idsIn("workers")).toEqual(["worker-b"]);
  });

  it("is done by itself every second once it was started, until it is stopped", async () => {
    const { job } = await bench.start("worker-a");
    await bench.age(61);
    vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
    maintenance.start();
    maintenance.start();
    vi.advanceTimersByTime(1000);
    await maintenance.stop();
    expect(await find(job.id)).toMatchObject({ status: "queued" });
    await bench.queue.claim("worker-b");
    await bench.age(61);
    vi.advanceTimersByTime(10_000);
    await maintenance.stop();
    expect(await find(job.id)).toMatchObject({ status: "running" });
  });
});

/** Jobs, and when they have been looked at for the first time. */
function lookedAt(context: JobsContext): { jobs: Jobs; hasLooked: Promise<void> } {
  let look = (): void => {};
  const hasLooked = new Promise<void>((resolve) => (look = resolve));
  const { database } = context;
  const query: typeof database.query = (text, values) =>
    database.query<never>(text, values).finally(() => look());
  return { jobs: createJobs({ ...context, database: { ...database, query } }), hasLooked };
}

function raise(error: unknown): never {
  throw error;
}
