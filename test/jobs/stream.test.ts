import { expect, it } from "vitest";
import type { TakenChunks } from "../../src/jobs/contracts.ts";
import { describeOnDatabases, newJob, resultOf } from "../support/jobs.ts";

const OWNER = "key-one";
const at = (step: number) => ({ step, of: 28 });
const stepsOf = (taken: TakenChunks | undefined): unknown[] =>
  taken!.chunks.map((chunk) => (chunk.kind === "progress" ? chunk.progress.step : chunk.result));

describeOnDatabases("the stream of a job", (bench) => {
  const take = (id: string, waitMs = 0): Promise<TakenChunks | undefined> =>
    bench.jobs.takeChunks(id, OWNER, { waitMs });

  it("gives every piece once and in order, and the result last", async () => {
    const { job, claimed } = await bench.start("worker-a");
    for (const step of [0, 1, 2]) await bench.queue.progress(claimed, "worker-a", at(step));
    expect(stepsOf(await take(job.id))).toEqual([0, 1, 2]);
    expect(stepsOf(await take(job.id))).toEqual([]);
    await bench.queue.progress(claimed, "worker-a", at(28));
    await bench.queue.finish(claimed, "worker-a", { status: "completed", result: resultOf() });
    const last = await take(job.id);
    expect(last?.job.status).toBe("completed");
    expect(stepsOf(last)).toEqual([28, resultOf()]);
    expect(stepsOf(await take(job.id, 60_000))).toEqual([]);
  });

  it("gives no piece to two that ask at once", async () => {
    const { job, claimed } = await bench.start("worker-a");
    for (const step of [0, 1, 2]) await bench.queue.progress(claimed, "worker-a", at(step));
    const both = await Promise.all(
      [bench, bench.other].map(({ jobs }) => jobs.takeChunks(job.id, OWNER, { waitMs: 0 })),
    );
    expect(both.flatMap(stepsOf).toSorted()).toEqual([0, 1, 2]);
  });

  it("has what was given back in its old place", async () => {
    const { job, claimed } = await bench.start("worker-a");
    for (const step of [0, 1]) await bench.queue.progress(claimed, "worker-a", at(step));
    const lost = await take(job.id);
    await bench.queue.progress(claimed, "worker-a", at(2));
    await lost!.giveBack();
    expect(stepsOf(await take(job.id))).toEqual([0, 1, 2]);
  });

  it("wakes who waits when a piece is given back", async () => {
    const { job, claimed } = await bench.start("worker-a");
    await bench.queue.progress(claimed, "worker-a", at(0));
    const lost = await take(job.id);
    const waiting = bench.other.jobs.takeChunks(job.id, OWNER, { waitMs: 60_000 });
    await lost!.giveBack();
    expect(stepsOf(await waiting)).toEqual([0]);
  });

  it("can be read from any place, and is left for whoever takes it", async () => {
    const { job, claimed } = await bench.start("worker-a");
    const read = (after: number, waitMs = 0) =>
      bench.jobs.readChunks(job.id, OWNER, { after, waitMs, submitted: job });
    for (const step of [0, 1]) await bench.queue.progress(claimed, "worker-a", at(step));
    const first = (await read(0))!;
    expect(first.chunks).toEqual([0, 1].map((step) => ({ kind: "progress", progress: at(step) })));
    expect(await read(first.position)).toMatchObject({ chunks: [], position: first.position });
    const waiting = read(first.position, 60_000);
    await bench.queue.progress(claimed, "worker-a", at(2));
    expect((await waiting)!.chunks).toEqual([{ kind: "progress", progress: at(2) }]);
    expect(stepsOf(await take(job.id))).toEqual([0, 1, 2]);
    expect(await bench.jobs.readChunks(job.id, "key-two", { after: 0, waitMs: 0, submitted: job })).toBe(
      undefined,
    );
  });

  it("takes nothing back for a job that is gone", async () => {
    const { job, claimed } = await bench.start("worker-a");
    await bench.queue.progress(claimed, "worker-a", at(0));
    const lost = await take(job.id);
    await bench.database.query(`delete from ${bench.schema}.jobs`);
    await lost!.giveBack();
    expect(await bench.database.query(`select from ${bench.schema}.job_chunks`)).toEqual([]);
  });

  it("waits for the next piece, from another process too", async () => {
    const { job, claimed } = await bench.start("worker-a");
    const waiting = take(job.id, 60_000);
    await bench.other.queue.progress(claimed, "worker-a", at(0));
    expect(stepsOf(await waiting)).toEqual([0]);
  });

  it("ends a wait when the job ends without a piece", async () => {
    const { job } = await bench.start("worker-a");
    const waiting = take(job.id, 60_000);
    await bench.other.jobs.cancel(job.id, OWNER);
    const taken = await waiting;
    expect(taken).toMatchObject({ job: { status: "cancelled" }, chunks: [] });
  });

  it("says the job's state of then when a wait ends without news", async () => {
    const { job } = await bench.jobs.submit(newJob());
    const waiting = take(job.id, 300);
    await bench.queue.claim("worker-a");
    expect(await waiting).toMatchObject({ job: { status: "running" }, chunks: [] });
  });

  it("begins anew with a retry", async () => {
    const { job, claimed } = await bench.start("worker-a");
    await bench.queue.progress(claimed, "worker-a", at(0));
    await bench.queue.finish(claimed, "worker-a", { status: "failed", error: "image is empty." });
    await bench.jobs.retry(job.id, OWNER);
    expect(stepsOf(await take(job.id))).toEqual([]);
  });
});
