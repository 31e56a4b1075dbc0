import { expect, it } from "vitest";
import type { WorkerRecord } from "../../src/jobs/job.ts";
import { createFleetCache, readFleet } from "../../src/jobs/workers.ts";
import { describeOnDatabases, newJob, resultOf } from "../support/jobs.ts";

const SPEED = { fixedMs: 1, stepMs: 2, nativeArea: 3, grid: 4 };

describeOnDatabases("the health of the endpoint", (bench) => {
  const report = (id: string, status: WorkerRecord["status"]) =>
    bench.queue.report({ id, status, endpoints: { "": {} } });

  it("counts jobs by what became of them", async () => {
    for (const outcome of [
      { status: "completed", result: resultOf() },
      { status: "completed", result: resultOf() },
      { status: "failed", error: "image is empty." },
      { status: "timedOut", error: "The job ran for too long." },
    ] as const) {
      const { claimed } = await bench.start("worker-a");
      await bench.queue.finish(claimed, "worker-a", outcome);
    }
    for (let count = 0; count < 3; count += 1) await bench.jobs.submit(newJob());
    await bench.queue.claim("worker-a");
    const cancelled = (await bench.queue.claim("worker-b"))!;
    await bench.jobs.cancel(cancelled.id, "key-one");
    const counts = { completed: 2, failed: 2, inProgress: 1, inQueue: 1, retried: 0 };
    expect((await bench.other.jobs.health()).jobs).toEqual(counts);
  });

  it("counts workers by their last report, and those no more that gave no sign of life or left", async () => {
    await report("worker-a", "idle");
    await report("worker-lost", "running");
    await bench.age(61);
    await report("worker-b", "initializing");
    await report("worker-b", "running");
    for (const id of ["worker-c", "worker-d"]) await report(id, "idle");
    await report("worker-e", "unhealthy");
    await report("worker-f", "initializing");
    await report("worker-g", "idle");
    await bench.queue.leave("worker-g");
    expect((await bench.other.jobs.health()).workers).toEqual({
      idle: 2,
      initializing: 1,
      ready: 3,
      running: 1,
      throttled: 0,
      unhealthy: 1,
    });
  });

  it("knows how fast each worker is that has measured itself", async () => {
    await bench.queue.report({ id: "worker-a", status: "idle", endpoints: { "": { speed: SPEED } } });
    await report("worker-b", "initializing");
    const { workers } = await readFleet(bench.other.context);
    expect(workers.toSorted((one, other) => one.status.localeCompare(other.status))).toEqual([
      { status: "idle", endpoints: { "": { speed: SPEED } } },
      { status: "initializing", endpoints: { "": {} } },
    ]);
  });

  it("is looked up once for many that ask within a second, and again where that failed", async () => {
    let queries = 0;
    let isAway = true;
    const { database } = bench.context;
    const query: typeof database.query = (text, values) => {
      queries += 1;
      return isAway ? Promise.reject(new Error("The connection is down.")) : database.query(text, values);
    };
    const fleet = createFleetCache({ ...bench.context, database: { ...database, query } });
    for (const answer of await Promise.allSettled([fleet(), fleet()])) {
      expect(answer.status).toBe("rejected");
    }
    expect(queries).toBe(1);
    isAway = false;
    const [one, other] = await Promise.all([fleet(), fleet()]);
    expect(one).toEqual({ workers: [], queued: 0 });
    expect(other).toBe(one);
    expect(queries).toBe(2);
  });
});
