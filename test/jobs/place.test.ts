/** Where a job stands in the queue, and how long that takes. */
import { expect, it } from "vitest";
import type { EditSpeed } from "../../src/engine/estimate.ts";
import { DEFAULT_ENDPOINT } from "../../src/jobs/endpoints.ts";
import { createJobs } from "../../src/jobs/owner-jobs.ts";
import { describeOnDatabases, EDIT, newJob, OTHER_ENDPOINT, policy } from "../support/jobs.ts";

/** An edit of 28 steps at the native size takes 10 s. */
const SPEED: EditSpeed = { nativeArea: 1024 * 1024, grid: 16, fixedMs: 4400, stepMs: 200 };

describeOnDatabases("the place of a job", (bench) => {
  const submit = async (changes: Parameters<typeof newJob>[0] = {}): Promise<string> =>
    (await bench.jobs.submit(newJob(changes))).job.id;
  const report = (id: string): Promise<void> =>
    bench.queue.report({ id, status: "idle", endpoints: { [DEFAULT_ENDPOINT]: { speed: SPEED } } });

  it("counts the jobs of all keys that the queue hands out before it", async () => {
    const ids = [
      await submit(),
      await submit(),
      await submit({ keyId: "key-two" }),
      await submit({ keyId: "key-two", ...policy({ isLowPriority: true }) }),
    ];
    const places = async (): Promise<(number | undefined)[]> =>
      Promise.all(
        ids.map(
          async (id, index) => (await bench.jobs.place(id, index < 2 ? "key-one" : "key-two"))?.numAhead,
        ),
      );
    expect(await places()).toEqual([0, 2, 1, 3]);
    await bench.queue.claim("worker-a");
    expect(await places()).toEqual([0, 1, 0, 2]);
    expect(await bench.jobs.place(ids[0]!, "key-one")).toEqual({ status: "running", numAhead: 0 });
    expect(await bench.jobs.place(ids[0]!, "key-two")).toBeUndefined();
    expect(await bench.jobs.place("nothing", "key-one")).toBeUndefined();
  });

  it("tells the time by what runs and waits before it, shared by the workers", async () => {
    await submit({ edit: { ...EDIT, numImages: 2 } });
    await submit({ keyId: "key-two" });
    const id = await submit();
    expect(await bench.jobs.place(id, "key-one")).toEqual({ status: "queued", numAhead: 2 });
    await report("worker-a");
    // One that has not read the workers yet.
    const jobs = createJobs(bench.context);
    expect(await jobs.place(id, "key-one")).toEqual({ status: "queued", numAhead: 2, waitMs: 30_000 });
    await bench.queue.claim("worker-a");
    await bench.age(5);
    await report("worker-a");
    const { waitMs } = (await jobs.place(id, "key-one"))!;
    // 15 s of the first are left, and all 10 s of the second.
    expect(waitMs).toBeGreaterThan(23_000);
    expect(waitMs).toBeLessThanOrEqual(25_000);
  });

  it("knows the speed of its own endpoint's workers, the fastest first", async () => {
    expect(await bench.jobs.speed()).toBeUndefined();
    await bench.queue.report({
      id: "worker-a",
      status: "idle",
      endpoints: {
        [DEFAULT_ENDPOINT]: { speed: SPEED },
        [OTHER_ENDPOINT]: { speed: { ...SPEED, stepMs: 1 } },
      },
    });
    await bench.queue.report({
      id: "worker-b",
      status: "idle",
      endpoints: { [DEFAULT_ENDPOINT]: { speed: { ...SPEED, stepMs: 150 } } },
    });
    expect(await createJobs(bench.context).speed()).toEqual({ ...SPEED, stepMs: 150 });
  });
});
