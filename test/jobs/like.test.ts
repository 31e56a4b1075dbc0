import { expect, it } from "vitest";
import type { ClaimedJob, JobEdit } from "../../src/jobs/job.ts";
import { likenessOf } from "../../src/jobs/likeness.ts";
import { createWorkQueue } from "../../src/jobs/work-queue.ts";
import { describeOnDatabases, EDIT, newJob, OTHER_ENDPOINT, policy } from "../support/jobs.ts";

const SIZED: JobEdit = {
  ...EDIT,
  images: [{ kind: "stored", key: "inputs/a.bin", size: { width: 640, height: 480 } }],
};
const LIKE = { workerId: "worker-a", leastLimitMs: 1000 };

it("is a matter of what the networks see, and of nothing else", () => {
  const same = likenessOf(SIZED);
  expect(same).toBeDefined();
  const others: Partial<JobEdit>[] = [
    { prompt: "Make it day", seed: 3, guidance: 4 },
    { images: [{ kind: "stored", key: "inputs/b.bin", size: { width: 640, height: 480 } }] },
    { isInlineResult: true, isPreviewed: true, isSafetyChecked: true, requestNotices: ["a notice"] },
    { negativePrompt: " ", trueCfgScale: 3 },
  ];
  for (const other of others) expect(likenessOf({ ...SIZED, ...other })).toBe(same);
  // However the database orders the fields.
  expect(likenessOf(Object.fromEntries(Object.entries(SIZED).toReversed()) as unknown as JobEdit)).toBe(same);
  const different: Partial<JobEdit>[] = [
    { size: { width: 512, height: 512 } },
    { numSteps: 20 },
    { sampler: "heun" },
    { negativePrompt: "blurry" },
    { loras: [{ name: "one", scale: 1 }] },
    { isUnchangedKept: true },
    { images: [{ kind: "stored", key: "inputs/b.bin", size: { width: 480, height: 640 } }] },
    { images: [...SIZED.images, ...SIZED.images] },
  ];
  for (const other of different) {
    const likeness = likenessOf({ ...SIZED, ...other });
    expect(likeness).toBeDefined();
    expect(likeness).not.toBe(same);
  }
  const never: Partial<JobEdit>[] = [
    { numImages: 2 },
    { acceleration: "auto" },
    { mask: SIZED.images[0] },
    { images: [{ kind: "stored", key: "inputs/a.bin" }] },
  ];
  for (const other of never) expect(likenessOf({ ...SIZED, ...other })).toBeUndefined();
});

describeOnDatabases("a job that is like the one before it", (bench) => {
  const submit = async (changes: Parameters<typeof newJob>[0] = {}): Promise<string> =>
    (await bench.jobs.submit(newJob({ edit: SIZED, ...changes }))).job.id;
  const claim = async (): Promise<ClaimedJob> => (await bench.queue.claim("worker-a"))!;
  const taken = async (job: ClaimedJob) => {
    const isNext = await bench.queue.isLikeNext(job, LIKE);
    return [isNext, (await bench.queue.claimLike(job, LIKE))?.id];
  };
  const idle = (id: string, status: "idle" | "running" = "idle", endpoint = "") =>
    bench.other.queue.report({ id, status, endpoints: { [endpoint]: {} } });

  it("is taken with it, and only in its turn", async () => {
    await submit();
    const second = await submit({ edit: { ...SIZED, prompt: "Make it day", seed: 9 } });
    const other = await submit({ edit: { ...SIZED, numSteps: 5 } });
    const last = await submit();
    const first = await claim();
    expect(await taken(first)).toEqual([true, second]);
    // What is refused keeps its place, though a later one would do.
    expect(await taken(first)).toEqual([false, undefined]);
    expect((await claim()).id).toBe(other);
    expect((await claim()).id).toBe(last);
    expect(await taken(first)).toEqual([false, undefined]);
    expect(await bench.jobs.find(second, "key-one")).toMatchObject({
      status: "running",
      workerId: "worker-a",
    });
  });

  it("passes no job of another key, whose turn comes first", async () => {
    const ids = [await submit(), await submit(), await submit({ keyId: "key-two" })];
    const first = await claim();
    expect(first.id).toBe(ids[0]);
    expect(await taken(first)).toEqual([true, ids[2]]);
    expect(await taken(first)).toEqual([true, ids[1]]);
  });

  it("is left to a worker that is idle", async () => {
    await submit();
    const second = await submit();
    const first = await claim();
    await idle("worker-a");
    await idle("worker-b", "running");
    await idle("worker-c", "idle", OTHER_ENDPOINT);
    expect(await bench.queue.isLikeNext(first, LIKE)).toBe(true);
    await idle("worker-b");
    expect(await bench.queue.isLikeNext(first, LIKE)).toBe(false);
    // One that died long ago is nobody's help.
    await bench.age(120);
    expect(await taken(first)).toEqual([true, second]);
  });

  it("has time enough, was not tried before, and goes with none that was", async () => {
    await submit();
    const short = await submit(policy({ executionTimeoutMs: 5000 }));
    const first = await claim();
    expect(await bench.queue.isLikeNext(first, { ...LIKE, leastLimitMs: 6000 })).toBe(false);
    expect(await bench.queue.isLikeNext(first, { ...LIKE, leastLimitMs: 4999.5 })).toBe(true);
    expect(await bench.queue.isLikeNext({ ...first, executionTimeoutMs: 500 }, LIKE)).toBe(false);
    expect(await bench.queue.isLikeNext({ ...first, attempt: 2 }, LIKE)).toBe(false);
    const tried = await claim();
    expect(tried.id).toBe(short);
    await bench.queue.fail(tried, "worker-a", "The engine process ended unexpectedly (SIGKILL).");
    expect(await taken(first)).toEqual([false, undefined]);
    // Given back untouched, it counts as never tried.
    const again = await claim();
    await bench.queue.handBack(again, "worker-a");
    expect(await bench.queue.isLikeNext(first, LIKE)).toBe(false);
  });

  it("is given back where another has become the next one since the look", async () => {
    const [one, second] = [await submit(), await submit()];
    const first = await claim();
    expect(first.id).toBe(one);
    expect(await bench.queue.isLikeNext(first, LIKE)).toBe(true);
    const passing = await claim();
    await submit({ edit: { ...SIZED, numSteps: 5 } });
    expect(passing.id).toBe(second);
    expect(await bench.queue.claimLike(first, LIKE)).toBeUndefined();
    expect(await bench.jobs.place(second, "key-one")).toMatchObject({ status: "running" });
    expect((await claim()).edit.numSteps).toBe(5);
  });

  it("runs alone where no job has a second attempt", async () => {
    await submit();
    await submit();
    const first = await claim();
    const { context } = bench;
    const strict = createWorkQueue({ ...context, settings: { ...context.settings, maxAttempts: 1 } });
    expect(await strict.isLikeNext(first, LIKE)).toBe(false);
  });
});
