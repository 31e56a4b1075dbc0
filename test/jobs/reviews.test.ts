/** Held results: released by an operator's word alone, and decided once. */
import { expect, it } from "vitest";
import type { ClaimedJob, JobResult } from "../../src/jobs/job.ts";
import { createMaintenance } from "../../src/jobs/maintenance.ts";
import { createReviews, type Reviews } from "../../src/jobs/reviews.ts";
import type { SafetyRecord } from "../../src/jobs/safety-record.ts";
import { refusal } from "../support/refusal.ts";
import { type Bench, describeOnDatabases, newJob, policy, resultOf } from "../support/jobs.ts";

const WORKER = "worker-of-test";
const SAFETY: SafetyRecord = {
  checker: { name: "MobileNetV2", sha256: "ab".repeat(32) },
  threshold: 0.7,
  scores: [0.1, 0.8125],
};
const OPERATOR = { keyId: "key_of_operator", name: "night shift" };
const REFUSED =
  "The safety checker refused the result: it looks pornographic (score 0.813, refused from 0.7).";
const RESULT: JobResult = {
  ...resultOf(),
  image: { kind: "stored", key: "outputs/first.png", bytes: 100, sha256: "c1" },
  images: [
    { image: { kind: "stored", key: "outputs/first.png", bytes: 100, sha256: "c1" }, seed: 7 },
    { image: { kind: "stored", key: "outputs/second.png", bytes: 120, sha256: "c2" }, seed: 8 },
  ],
};
const HELD_KEYS = ["outputs/first.png", "outputs/second.png"];

describeOnDatabases("a held result", (bench) => {
  const reviews = (): Reviews => createReviews(bench.context);

  async function hold(changes = {}): Promise<{ id: string; claimed: ClaimedJob }> {
    const { job, claimed } = await bench.start(WORKER, { webhook: "https://hooks.example/done", ...changes });
    await bench.queue.progress(claimed, WORKER, { step: 28, of: 28, preview: "data:image/jpeg;base64,AA" });
    const isWritten = await bench.queue.finish(claimed, WORKER, {
      status: "held",
      result: RESULT,
      safety: SAFETY,
    });
    expect(isWritten).toBe(true);
    return { id: job.id, claimed };
  }
  const find = (id: string) => bench.jobs.find(id, "key-one");
  const webhooks = async (): Promise<string[]> =>
    (await bench.jobs.deliveries("key-one", { offset: 0, limit: 10 })).map(({ jobId }) => jobId);
  const usage = async () => {
    const today = new Date().toISOString().slice(0, 10);
    const [day] = await bench.jobs.usage("key-one", { from: today, to: today });
    return day && { completed: day.completed, failed: day.failed, cost: day.cost };
  };
  /** Runs what is due, with one day's notice for what must be deleted. */
  async function maintain(): Promise<string[]> {
    const deleted: string[] = [];
    const deleteInput = async (key: string): Promise<void> => void deleted.push(key);
    const onError = (error: unknown): void => {
      throw error;
    };
    await createMaintenance(bench.context, { deleteInput, onError }).run();
    return deleted.toSorted();
  }
  const log = async (jobId: string) =>
    (await reviews().log({ jobId, offset: 0, limit: 10 })).map(({ event, actor, reason }) => ({
      event,
      actor: actor.name,
      reason,
    }));

  it("is a job that goes on, shows nothing of itself, costs nothing yet and is listed for operators", async () => {
    const { id } = await hold();
    const job = await find(id);
    expect(job).toMatchObject({ status: "held", progress: { step: 28, of: 28 } });
    expect(job!.progress).not.toHaveProperty("preview");
    expect(job).not.toHaveProperty("result", expect.anything());
    expect(job).not.toHaveProperty("endedAt", expect.anything());
    const { chunks } = (await bench.jobs.takeChunks(id, "key-one", { waitMs: 0 }))!;
    expect(chunks).toEqual([{ kind: "progress", progress: { step: 28, of: 28 } }]);
    expect(await bench.jobs.chainOfResult("c1", "key-one")).toBeUndefined();
    expect(await usage()).toBeUndefined();
    expect(await webhooks()).toEqual([]);
    expect(await bench.jobs.health()).toMatchObject({ jobs: { inProgress: 1, inQueue: 0 } });
    expect(await bench.queue.claim("another-worker")).toBeUndefined();
    const { held, total } = await reviews().list({ offset: 0, limit: 10 });
    expect(total).toBe(1);
    expect(held).toEqual([
      {
        jobId: id,
        keyId: "key-one",
        keyName: undefined,
        endpoint: "",
        heldAt: expect.any(Date),
        until: expect.any(Date),
        prompt: "Make it night",
        safety: SAFETY,
        pictures: [
          { key: "outputs/first.png", bytes: 100 },
          { key: "outputs/second.png", bytes: 120 },
        ],
      },
    ]);
    expect(held[0]!.until.getTime() - held[0]!.heldAt.getTime()).toBeCloseTo(72 * 3_600_000, -3);
  });

  it("becomes the result of its job as if it had never been held, once an operator approves", async () => {
    const { id, claimed } = await hold();
    await bench.age(3600);
    const before = await find(id);
    const job = await reviews().decide(id, { verdict: "approved", actor: OPERATOR, reason: "A statue." });
    expect(job).toMatchObject({ status: "completed", result: RESULT, endedAt: expect.any(Date) });
    // The time of the review is none of the run.
    expect(job!.executionMs).toBe(before!.executionMs);
    expect(job!.executionMs).toBeLessThan(60_000);
    expect(await usage()).toEqual({ completed: 1, failed: 0, cost: RESULT.cost });
    expect(await webhooks()).toEqual([id]);
    expect(await bench.jobs.chainOfResult("c1", "key-one")).toMatchObject({ place: 0 });
    expect(await maintain()).toEqual([]);
    expect(await log(id)).toEqual([
      { event: "approved", actor: "night shift", reason: "A statue." },
      { event: "held", actor: "safety checker", reason: undefined },
    ]);
    // A worker that never learnt of the end of its attempt changes nothing.
    expect(await bench.queue.finish(claimed, WORKER, { status: "failed", error: "Late." })).toBe(false);
    expect(await find(id)).toMatchObject({ status: "completed" });
    expect((await reviews().list({ offset: 0, limit: 10 })).total).toBe(0);
  });

  it("fails its job with the sentence of a refusal once an operator rejects, and its files go", async () => {
    const { id } = await hold();
    const job = await reviews().decide(id, { verdict: "rejected", actor: OPERATOR });
    expect(job).toMatchObject({ status: "failed", error: REFUSED, failure: { code: "OUTPUT_FLAGGED" } });
    expect(job).not.toHaveProperty("result", expect.anything());
    expect(await usage()).toEqual({ completed: 0, failed: 1, cost: 0 });
    expect(await webhooks()).toEqual([id]);
    expect(await maintain()).toEqual(HELD_KEYS);
    // Again, as any failed job.
    expect(await bench.jobs.retry(id, "key-one")).toMatchObject({ status: "queued" });
    expect(await bench.queue.claim(WORKER)).toMatchObject({ id });
  });

  it("is decided on once: of two operators, the second learns of the first", async () => {
    const { id } = await hold();
    const over = createReviews(bench.other.context);
    const decisions = await Promise.allSettled([
      reviews().decide(id, { verdict: "approved", actor: OPERATOR }),
      over.decide(id, { verdict: "rejected", actor: { name: "day shift" } }),
    ]);
    const failed = decisions.filter((one) => one.status === "rejected");
    expect(failed).toHaveLength(1);
    const winner = (await find(id))!.status === "completed" ? "approved" : "rejected";
    const name = winner === "approved" ? "night shift" : "day shift";
    expect(failed[0]!.reason).toEqual(
      refusal(
        "REVIEW_OVER",
        new RegExp(`^The review of this job is over: ${winner} at [^ ]+Z by ${name}\\.$`),
      ),
    );
    expect(await log(id)).toHaveLength(2);
  });

  it("is refused at the end of its time, whatever the job's ttl, and the log says why", async () => {
    const { id } = await hold(policy({ ttlMs: 60_000 }));
    await bench.age(71 * 3600);
    expect(await maintain()).toEqual([]);
    expect(await find(id)).toMatchObject({ status: "held" });
    await bench.age(2 * 3600);
    expect(await maintain()).toEqual(HELD_KEYS);
    expect(await find(id)).toMatchObject({ status: "failed", error: REFUSED });
    expect((await log(id))[0]).toEqual({
      event: "expired",
      actor: "time limit",
      reason: "Nobody decided within 72 h.",
    });
    expect(await webhooks()).toEqual([id]);
  });

  it("is gone with its files when its owner cancels, and nobody can release it any more", async () => {
    const { id } = await hold();
    expect(await bench.jobs.cancel(id, "another-key")).toBeUndefined();
    expect(await bench.jobs.cancel(id, "key-one")).toMatchObject({ status: "cancelled" });
    expect(await maintain()).toEqual(HELD_KEYS);
    await expect(reviews().decide(id, { verdict: "approved", actor: OPERATOR })).rejects.toEqual(
      refusal("REVIEW_OVER", /^The review of this job is over: cancelled at [^ ]+Z by owner of the job\.$/),
    );
    expect(await usage()).toBeUndefined();
  });

  it("is not the matter of leases, purges or a job that was never held", async () => {
    const { id } = await hold();
    await bench.database.query(`update ${bench.schema}.workers set seen_at = seen_at - interval '1 hour'`);
    await bench.age(600);
    await maintain();
    expect(await bench.jobs.purge("key-one")).toBe(0);
    expect(await find(id)).toMatchObject({ status: "held" });
    expect(await reviews().decide("nobody's", { verdict: "approved", actor: OPERATOR })).toBeUndefined();
    const { job } = await bench.jobs.submit(newJob());
    expect(await reviews().decide(job.id, { verdict: "approved", actor: OPERATOR })).toBeUndefined();
    expect(await reviews().find(job.id)).toBeUndefined();
  });

  it("leaves entries that cannot be changed", async () => {
    const { id } = await hold();
    for (const statement of [
      `update ${bench.schema}.review_entries set actor = 'nobody'`,
      `delete from ${bench.schema}.review_entries`,
    ]) {
      await expect(bench.database.query(statement)).rejects.toThrow(/never changed/);
    }
    expect(await log(id)).toHaveLength(1);
  });

  it("counts against the room of its key while it waits", async () => {
    const bytes = async (): Promise<number> => {
      const [row] = await bench.database.query<{ bytes: string | null }>(
        `select sum(bytes) as bytes from ${bench.schema}.pictures where key_id = 'key-one'`,
      );
      return Number(row!.bytes);
    };
    const { id } = await hold();
    expect(await bytes()).toBe(220);
    await reviews().decide(id, { verdict: "approved", actor: OPERATOR });
    expect(await bytes()).toBe(220);
  });
});

describeOnDatabases("the safety check of a job", (bench) => {
  const safetyOf = async ({ database, schema }: Bench, id: string): Promise<unknown> => {
    const [row] = await database.query<{ safety: unknown }>(
      `select safety from ${schema}.jobs where id = $1`,
      [id],
    );
    return row!.safety;
  };

  it("is kept with it, flagged or not, and unknown to its owner", async () => {
    const passed = { ...SAFETY, scores: [0.01] };
    const { job, claimed } = await bench.start(WORKER);
    await bench.queue.finish(claimed, WORKER, { status: "completed", result: resultOf(), safety: passed });
    expect(await safetyOf(bench, job.id)).toEqual(passed);
    expect(JSON.stringify(await bench.jobs.find(job.id, "key-one"))).not.toContain("MobileNetV2");
    const refused = await bench.start(WORKER);
    await bench.queue.finish(refused.claimed, WORKER, { status: "failed", error: REFUSED, safety: SAFETY });
    expect(await safetyOf(bench, refused.job.id)).toEqual(SAFETY);
    await bench.jobs.retry(refused.job.id, "key-one");
    expect(await safetyOf(bench, refused.job.id)).toBeNull();
  });

  it("uses the threshold of the job's key where that has one", async () => {
    expect((await bench.start(WORKER)).claimed).not.toHaveProperty("safetyThreshold");
    await bench.database.query(
      `insert into ${bench.schema}.api_keys (id, name, prefix, hash, safety_threshold)
       values ('key-strict', 'strict', 'rtk_strict', 'x', 0.25)`,
    );
    const { claimed } = await bench.start(WORKER, { keyId: "key-strict" });
    expect(claimed.safetyThreshold).toBe(0.25);
  });
});
