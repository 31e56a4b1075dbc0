/** The database did what it was asked, but its answer never came: nothing is left with somebody who does not know of it. */
import { beforeEach, expect, it } from "vitest";
import type { Database } from "../../src/database/database.ts";
import { RetouchError } from "../../src/errors.ts";
import type { Jobs, WorkQueue } from "../../src/jobs/contracts.ts";
import { createJobs } from "../../src/jobs/owner-jobs.ts";
import { createWorkQueue } from "../../src/jobs/work-queue.ts";
import { describeOnDatabases, EDIT, newJob } from "../support/jobs.ts";

const OWNER = "key-one";

describeOnDatabases("an answer that is lost", (bench) => {
  /** How many answers to what changes something do not come. */
  let lost: number;
  let jobs: Jobs;
  let queue: WorkQueue;
  beforeEach(() => {
    lost = 0;
    async function answer<Result>(
      code: "COMMIT_UNDECIDED" | "DATABASE_UNAVAILABLE",
      result: Promise<Result>,
    ) {
      const done = await result;
      if (lost === 0) return done;
      lost -= 1;
      throw new RetouchError(code, "The answer is lost.");
    }
    const { database } = bench;
    const deaf: Database = {
      ...database,
      query: (text, ...rest) =>
        /^\s*update/.test(text)
          ? answer("DATABASE_UNAVAILABLE", database.query<never>(text, ...rest))
          : database.query(text, ...rest),
      transaction: (work, options) => answer("COMMIT_UNDECIDED", database.transaction(work, options)),
    };
    const context = { ...bench.context, database: deaf };
    jobs = createJobs(context);
    queue = createWorkQueue(context);
  });

  it("gives a worker the job that it was given before, and costs no attempt", async () => {
    const { job } = await bench.jobs.submit(newJob());
    const { job: next } = await bench.jobs.submit(newJob());
    lost = 2;
    await expect(queue.claim("worker-a")).rejects.toMatchObject({ code: "COMMIT_UNDECIDED" });
    await expect(queue.claim("worker-a")).rejects.toMatchObject({ code: "COMMIT_UNDECIDED" });
    const claimed = await queue.claim("worker-a");
    expect(claimed).toMatchObject({ id: job.id, attempt: 1 });
    expect(await queue.renew(claimed!, "worker-a")).toBe(true);
    // From then on it takes others.
    expect(await queue.claim("worker-a")).toMatchObject({ id: next.id });
  });

  it("gives a download back that its worker does not know of, and no other", async () => {
    const images = [{ kind: "url", url: "http://images.example/a.png" } as const];
    const submit = async (keyId: string) =>
      (await bench.jobs.submit(newJob({ keyId, edit: { ...EDIT, images } }))).job.id;
    const ids = [await submit("key-one"), await submit("key-two")];
    await bench.queue.report({ id: "worker-a", status: "idle", endpoints: { "": {} } });
    const claim = () => queue.claimSource("worker-a", { maxOfKey: 2 });
    const known = await claim();
    expect(known).toMatchObject({ id: ids[0], tries: 1 });
    lost = 1;
    await expect(claim()).rejects.toMatchObject({ code: "DATABASE_UNAVAILABLE" });
    expect(await claim()).toMatchObject({ id: ids[1], tries: 1 });
    expect(await queue.holdsSource(known!, "worker-a")).toBe(true);
    expect(await claim()).toBeUndefined();
  });

  it("takes no piece of a stream from whoever asks next", async () => {
    const { job, claimed } = await bench.start("worker-a");
    await bench.queue.progress(claimed, "worker-a", { step: 1, of: 2 });
    lost = 1;
    await expect(jobs.takeChunks(job.id, OWNER, { waitMs: 0 })).rejects.toMatchObject({
      code: "COMMIT_UNDECIDED",
    });
    expect(await jobs.takeChunks(job.id, OWNER, { waitMs: 0 })).toMatchObject({
      chunks: [{ kind: "progress", progress: { step: 1, of: 2 } }],
    });
  });
});
