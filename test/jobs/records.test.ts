import { expect, it } from "vitest";
import type { JobOutcome } from "../../src/jobs/job.ts";
import { describeOnDatabases, newJob, resultOf } from "../support/jobs.ts";

const OWNER = "key-one";
const ALL = { from: "2000-01-01", to: "2100-01-01" };
const FAILED: JobOutcome = { status: "failed", error: "image is empty." };
const done = (cost: number): JobOutcome => ({ status: "completed", result: resultOf(cost) });

describeOnDatabases("what is kept beyond a job's life", (bench) => {
  const ran = async (outcome: JobOutcome, changes: Parameters<typeof newJob>[0] = {}): Promise<string> => {
    const { job, claimed } = await bench.start("worker-a", changes);
    await bench.queue.finish(claimed, "worker-a", outcome);
    return job.id;
  };
  const setEnd = (id: string, time: string): Promise<unknown> =>
    bench.database.query(`update ${bench.schema}.usage set ended_at = $2 where job_id = $1`, [id, time]);

  it("has the use of a key by the day, in UTC, and its cost to the last decimal", async () => {
    for (const [outcome, time] of [
      [done(0.1), "2026-03-01T00:00:00Z"],
      [done(0.2), "2026-03-01T23:59:59Z"],
      [FAILED, "2026-03-02T00:00:00Z"],
      [{ status: "timedOut", error: "The job ran for too long." }, "2026-03-02T12:00:00+14:00"],
      [done(0.000001), "2026-03-04T12:00:00Z"],
    ] as const) {
      await setEnd(await ran(outcome), time);
    }
    await setEnd(await ran(done(5), { keyId: "key-two" }), "2026-03-01T12:00:00Z");
    const days = [
      { date: "2026-03-01", completed: 2, failed: 1, cost: 0.3 },
      { date: "2026-03-02", completed: 0, failed: 1, cost: 0 },
      { date: "2026-03-04", completed: 1, failed: 0, cost: 0.000001 },
    ];
    const usage = (from: string, to: string) => bench.jobs.usage(OWNER, { from, to });
    expect(await usage("2026-03-01", "2026-03-04")).toEqual(days);
    expect(await usage("2026-03-02", "2026-03-03")).toEqual([days[1]]);
    expect(await usage("2026-03-03", "2026-03-03")).toEqual([]);
  });

  it("charges a job once, whatever its retries", async () => {
    const id = await ran(FAILED);
    const days = async (): Promise<unknown> =>
      (await bench.jobs.usage(OWNER, ALL)).map(({ completed, failed, cost }) => [completed, failed, cost]);
    expect(await days()).toEqual([[0, 1, 0]]);
    await bench.jobs.retry(id, OWNER);
    const claimed = (await bench.queue.claim("worker-a"))!;
    for (const { queue } of [bench, bench.other]) await queue.finish(claimed, "worker-a", done(0.5));
    expect(await days()).toEqual([[1, 0, 0.5]]);
  });

  it("charges a job once that was given up, by a worker that did not know", async () => {
    const { claimed } = await bench.start("worker-a");
    await bench.queue.fail(claimed, "worker-a", "It crashed.");
    const next = (await bench.queue.claim("worker-b"))!;
    const ends = await Promise.all([
      bench.queue.finish(claimed, "worker-a", done(1)),
      bench.other.queue.finish(next, "worker-b", done(2)),
    ]);
    expect(ends).toEqual([false, true]);
    expect(await bench.jobs.usage(OWNER, ALL)).toMatchObject([{ completed: 1, cost: 2 }]);
  });

  it("charges nothing for a job that was cancelled", async () => {
    const { job, claimed } = await bench.start("worker-a");
    await bench.jobs.cancel(job.id, OWNER);
    await bench.queue.finish(claimed, "worker-a", done(1));
    expect(await bench.jobs.usage(OWNER, ALL)).toEqual([]);
  });

  it("has the webhooks of a key, newest first and by the page, without the secrets in their addresses", async () => {
    const hooked = (url: string, keyId = OWNER) => ran(FAILED, { keyId, webhook: url });
    const first = await hooked("https://hooks.example/a?secret=1#2");
    await hooked("https://hooks.example/foreign", "key-two");
    await ran(FAILED);
    const second = await hooked("http://hooks.example:8080/b/c");
    const pending = { status: "pending", attempts: 0, createdAt: expect.any(Date) };
    const page = (offset: number) => bench.jobs.deliveries(OWNER, { offset, limit: 1 });
    expect(await page(0)).toEqual([{ jobId: second, url: "http://hooks.example:8080/b/c", ...pending }]);
    expect(await page(1)).toEqual([{ jobId: first, url: "https://hooks.example/a", ...pending }]);
    expect(await page(2)).toEqual([]);
  });

  it("has webhooks that earlier versions took in any length, a page of them within bounds", async () => {
    await bench.database.query(
      `insert into ${bench.schema}.webhook_deliveries (job_id, key_id, url, status, last_error)
       select 'job-' || number, $1, 'https://hooks.example/' || repeat('ab%20', 1800000) || '?secret=1', 'failed',
              repeat('c', 9000000)
         from generate_series(1, 60) as number`,
      [OWNER],
      // A gigabyte.
      { limitMs: Infinity },
    );
    const page = await bench.jobs.deliveries(OWNER, { offset: 0, limit: 60 });
    expect(page).toHaveLength(60);
    for (const { url, lastError } of page) {
      expect(url).toMatch(/^https:\/\/hooks\.example\/(ab%20)+/);
      expect(url.length).toBe(2000);
      expect(lastError!.length).toBe(2000);
    }
  });

  it.each([
    ["https://hooks.example/a?secret=1", "https://hooks.example/a"],
    ["https://hooks.example#secret", "https://hooks.example/"],
    ["https:hooks.example/a", "https://hooks.example/a"],
    [`https://xn--${"a".repeat(3000)}/path`, `https://xn--${"a".repeat(1988)}`],
    [`https://hooks.example/${"ü".repeat(1900)}`, `https://hooks.example/${"%C3%BC".repeat(400)}`],
  ])("shows of the address %.40s what is no secret, in bounds", async (address, shown) => {
    await ran(FAILED, { webhook: address });
    const [delivery] = await bench.jobs.deliveries(OWNER, { offset: 0, limit: 1 });
    expect(delivery!.url.length).toBeLessThanOrEqual(2000);
    expect(delivery!.url.startsWith(shown.slice(0, 1900))).toBe(true);
    expect(delivery!.url).not.toContain("secret");
  });
});
