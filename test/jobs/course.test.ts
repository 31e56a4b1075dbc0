/** The course of a job: what operators read when somebody asks what became of it. */
import { expect, it } from "vitest";
import { COURSE_LENGTH, noted } from "../../src/jobs/course.ts";
import { createOperations, type JobCourse } from "../../src/jobs/operations.ts";
import { describeOnDatabases, newJob, resultOf } from "../support/jobs.ts";

const WORKER = "worker-of-test";

describeOnDatabases("the course of a job", (bench) => {
  const courseOf = async (id: string): Promise<JobCourse> =>
    (await createOperations(bench.context).course(id))!;
  const eventsOf = async (id: string) =>
    (await courseOf(id)).course.map(({ at, ...rest }) => {
      expect(at).toMatch(/^20\d\d-/);
      return rest;
    });

  it("names every turn that it took, with worker, run and reason", async () => {
    const { job, claimed } = await bench.start(WORKER, {
      webhook: "https://hooks.example/done?token=secret",
    });
    await bench.queue.fail(claimed, WORKER, "The engine process ended unexpectedly.");
    const again = (await bench.queue.claim("another-worker"))!;
    await bench.queue.handBack(again, "another-worker");
    const third = (await bench.queue.claim(WORKER))!;
    await bench.queue.finish(third, WORKER, { status: "failed", error: "image is empty (0 bytes)." });
    await bench.jobs.retry(job.id, "key-one");
    const last = (await bench.queue.claim(WORKER))!;
    await bench.queue.finish(last, WORKER, { status: "completed", result: resultOf() });
    expect(await eventsOf(job.id)).toEqual([
      { event: "queued" },
      { event: "started", worker: WORKER, attempt: 1 },
      { event: "givenBack", worker: WORKER, attempt: 1, reason: "The engine process ended unexpectedly." },
      { event: "started", worker: "another-worker", attempt: 2 },
      { event: "givenBack", worker: "another-worker", attempt: 2 },
      { event: "started", worker: WORKER, attempt: 2 },
      { event: "failed", reason: "image is empty (0 bytes)." },
      { event: "retried" },
      { event: "started", worker: WORKER, attempt: 1 },
      { event: "completed" },
    ]);
    const { course, deliveries, keyId, status } = await courseOf(job.id);
    expect({ keyId, status }).toEqual({ keyId: "key-one", status: "completed" });
    const times = course.map(({ at }) => Date.parse(at));
    expect(times).toEqual(times.toSorted((a, b) => a - b));
    expect(deliveries).toMatchObject([
      { url: "https://hooks.example/done", status: "pending", attempts: 0 },
      { url: "https://hooks.example/done", status: "pending", attempts: 0 },
    ]);
  });

  it("keeps the latest events, however often its client has it run again", async () => {
    const { job } = await bench.jobs.submit(newJob());
    for (let count = 0; count < COURSE_LENGTH + 5; count += 1) {
      await bench.database.query(
        `update ${bench.schema}.jobs set ${noted("retried", { attempt: "$2::integer" })} where id = $1`,
        [job.id, count],
      );
    }
    const events = await eventsOf(job.id);
    expect(events).toHaveLength(COURSE_LENGTH);
    expect(events[0]).toEqual({ event: "retried", attempt: 5 });
    expect(events.at(-1)).toEqual({ event: "retried", attempt: COURSE_LENGTH + 4 });
  });

  it("shows a running job's step without its preview, and nothing of an unknown one", async () => {
    const { job, claimed } = await bench.start(WORKER);
    await bench.queue.progress(claimed, WORKER, { step: 3, of: 28, preview: "data:image/jpeg;base64,AA" });
    expect((await courseOf(job.id)).progress).toEqual({ step: 3, of: 28 });
    expect(await createOperations(bench.context).course("unknown")).toBeUndefined();
  });
});

describeOnDatabases("what operators see of all keys", (bench) => {
  it("is who waits at which endpoint, the longest queue first, and since when", async () => {
    const { jobs, queues } = { jobs: bench.jobs, queues: () => createOperations(bench.context).queues() };
    expect(await queues()).toEqual([]);
    await bench.start(WORKER, { keyId: "key-two" });
    const { job } = await jobs.submit(newJob());
    await jobs.submit(newJob());
    expect(await queues()).toEqual([
      { keyId: "key-one", endpoint: "", queued: 2, running: 0, held: 0, oldestAt: job.submittedAt },
      { keyId: "key-two", endpoint: "", queued: 0, running: 1, held: 0 },
    ]);
  });

  it("is which workers are alive, what they run on, and the job of each", async () => {
    const { id } = (await bench.start(WORKER)).job;
    const place = { device: "cuda (float16)", model: "tiny" };
    await bench.queue.report({ id: WORKER, status: "running", endpoints: { "": place } });
    await bench.queue.report({ id: "silent", status: "idle", endpoints: {} });
    await bench.database.query(
      `update ${bench.schema}.workers set seen_at = seen_at - interval '1 hour' where id = 'silent'`,
    );
    expect(await createOperations(bench.context).workers()).toEqual([
      { id: WORKER, status: "running", seenAt: expect.any(Date), jobId: id, endpoints: { "": place } },
    ]);
  });

  it("is what each key has used, and what is stored by kind", async () => {
    const { claimed } = await bench.start(WORKER, { sources: [{ key: "inputs/a.bin", bytes: 1000 }] });
    const result = { ...resultOf(), image: { kind: "stored" as const, key: "outputs/a.png", bytes: 250 } };
    await bench.queue.finish(claimed, WORKER, { status: "completed", result });
    const operations = createOperations(bench.context);
    expect(await operations.used()).toEqual(
      new Map([["key-one", { bytes: 1250, completed: 1, failed: 0, cost: result.cost }]]),
    );
    expect(await operations.stored()).toEqual([
      { kind: "inputs", files: 1, bytes: 1000 },
      { kind: "outputs", files: 1, bytes: 250 },
    ]);
    expect(await operations.databaseBytes()).toBeGreaterThan(100_000);
  });
});
