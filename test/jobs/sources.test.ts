import { describe, expect, it } from "vitest";
import type { ClaimedSource, NewJob } from "../../src/jobs/job.ts";
import { createMaintenance } from "../../src/jobs/maintenance.ts";
import { createWorkQueue } from "../../src/jobs/work-queue.ts";
import { describeOnDatabases, EDIT, newJob, policy, resultOf } from "../support/jobs.ts";

const url = (name: string): string => `http://pictures.example/${name}.png`;
const ALL = { maxOfKey: 100 };
/** Of the only image. */
const urlOf = ({ images }: ClaimedSource): string => (images[0] as { url: string }).url;
const kept = (...keys: string[]) => ({
  images: keys.map((key) => ({ kind: "stored", key }) as const),
  sources: keys.map((key) => ({ key, bytes: 5 })),
});

describeOnDatabases("a job whose picture is an address", (bench) => {
  const submit = async (name: string, changes: Partial<NewJob> = {}): Promise<string> => {
    const edit = { ...EDIT, images: [{ kind: "url", url: url(name) } as const] };
    return (await bench.jobs.submit(newJob({ edit, keyId: `key-${name[0]}`, ...changes }))).job.id;
  };
  /** By a worker that gives signs of life. */
  const claim = async (worker = "worker-a", options = ALL): Promise<ClaimedSource | undefined> => {
    await bench.queue.report({ id: worker, status: "idle", endpoints: { "": {} } });
    return bench.queue.claimSource(worker, options);
  };
  const find = (id: string, name = "a") => bench.other.jobs.find(id, `key-${name}`);

  it("waits for its download before any worker can run it", async () => {
    const id = await submit("a1");
    expect(await bench.queue.claim("worker-a")).toBeUndefined();
    const source = (await claim())!;
    expect(source).toEqual({ id, tries: 1, images: [{ kind: "url", url: url("a1") }] });
    expect(await find(id)).toMatchObject({ status: "queued" });
    expect(await bench.queue.holdsSource(source, "worker-a")).toBe(true);
    expect(await bench.queue.keepSource(source, "worker-a", kept("inputs/a1.bin"))).toBe(true);
    expect(await bench.queue.keepSource(source, "worker-a", kept("inputs/a2.bin"))).toBe(false);
    expect(await bench.other.queue.claim("worker-b")).toMatchObject({
      id,
      attempt: 1,
      edit: { ...EDIT, images: [{ kind: "stored", key: "inputs/a1.bin" }] },
    });
    expect(await claim()).toBeUndefined();
  });

  it("waits for all of its images and its mask, of which some may be there", async () => {
    const [there, away] = [
      { kind: "stored", key: "outputs/a.png" },
      { kind: "url", url: url("a2") },
    ] as const;
    const edit = { ...EDIT, images: [there, away], mask: { kind: "url", url: url("mask") } as const };
    const { job } = await bench.jobs.submit(newJob({ edit }));
    const source = (await claim())!;
    expect(source).toEqual({ id: job.id, tries: 1, images: edit.images, mask: edit.mask });
    const [first, mask] = ["inputs/a2.bin", "inputs/mask.bin"].map(
      (key) => ({ kind: "stored", key }) as const,
    );
    const sources = [first!, mask!].map(({ key }) => ({ key, bytes: 5 }));
    const images = [there, first!];
    expect(await bench.queue.keepSource(source, "worker-a", { images, mask, sources })).toBe(true);
    expect(await bench.queue.claim("worker-a")).toMatchObject({ edit: { images, mask } });
    const counted = await bench.database.query<{ storage_key: string }>(
      `select storage_key from ${bench.schema}.pictures where job_id = $1 order by storage_key`,
      [job.id],
    );
    expect(counted.map((row) => row.storage_key)).toEqual(sources.map(({ key }) => key));
  });

  it("fails in a sentence, with all that the end of a job tells", async () => {
    const id = await submit("a1");
    const source = (await claim())!;
    const values = { field: "image", sentence: "there is no such host." };
    const failure = { code: "IMAGE_UNREADABLE", kind: "about", values } as const;
    const reason = { error: "image: there is no such host.", failure };
    expect(await bench.queue.failSource(source, "worker-a", reason)).toBe(true);
    expect(await bench.queue.failSource(source, "worker-a", { error: "Again." })).toBe(false);
    expect(await find(id)).toMatchObject({
      status: "failed",
      error: "image: there is no such host.",
      failure,
      workerId: "worker-a",
      delayMs: expect.any(Number),
      executionMs: expect.any(Number),
    });
    expect(await bench.queue.claim("worker-a")).toBeUndefined();
  });

  it("runs in its turn, however long its download took", async () => {
    const slow = await submit("a1");
    const source = (await claim())!;
    const { job } = await bench.jobs.submit(newJob({ keyId: "key-a" }));
    const { job: other } = await bench.jobs.submit(newJob({ keyId: "key-b" }));
    await bench.queue.keepSource(source, "worker-a", kept("inputs/a1.bin"));
    const order: string[] = [];
    for (let claimed; (claimed = await bench.queue.claim("worker-a"));) order.push(claimed.id);
    expect(order).toEqual([other.id, slow, job.id]);
  });

  describe("is downloaded", () => {
    it("in turns of the keys, and only so many of one key by a worker at the same time", async () => {
      for (const name of ["a1", "a2", "a3", "a4"]) await submit(name);
      await submit("b1");
      await submit("b2", policy({ isLowPriority: true }));
      const urls = [];
      for (let source; (source = await claim("worker-a", { maxOfKey: 2 }));) urls.push(urlOf(source));
      expect(urls).toEqual(["a1", "b1", "a2", "b2"].map(url));
      expect(urlOf((await claim("worker-b", { maxOfKey: 2 }))!)).toBe(url("a3"));
    });

    it("once, however many ask at the same moment", async () => {
      for (const name of ["a1", "b1", "c1", "d1"]) await submit(name);
      for (const id of ["worker-a", "worker-b"])
        await bench.queue.report({ id, status: "idle", endpoints: { "": {} } });
      const claims = await Promise.all(
        Array.from({ length: 8 }, (_, at) =>
          at % 2 === 0
            ? bench.queue.claimSource("worker-a", ALL)
            : bench.other.queue.claimSource("worker-b", ALL),
        ),
      );
      const urls = claims.flatMap((source) => (source ? urlOf(source) : []));
      expect(new Set(urls).size).toBe(urls.length);
      while (urls.length < 4) urls.push(urlOf((await claim())!));
      expect(urls.toSorted()).toEqual(["a1", "b1", "c1", "d1"].map(url));
    });

    it("again by another worker where the first gives no sign of life any more", async () => {
      const id = await submit("a1");
      const lost = (await claim("worker-a"))!;
      expect(await claim("worker-b")).toBeUndefined();
      await bench.age(61);
      expect(await claim("worker-b")).toEqual({ id, tries: 2, images: [{ kind: "url", url: url("a1") }] });
      expect(await bench.queue.keepSource(lost, "worker-a", kept("inputs/a1.bin"))).toBe(false);
      expect(await bench.queue.releaseSource(lost, "worker-a", { isTried: true })).toBe(false);
      expect(await bench.queue.failSource(lost, "worker-a", { error: "It failed." })).toBe(false);
    });

    it("again as the same try where it was given back without one", async () => {
      await submit("a1");
      const source = (await claim())!;
      expect(await bench.queue.releaseSource(source, "worker-a", { isTried: false })).toBe(true);
      expect(await claim("worker-b")).toMatchObject({ tries: 1 });
    });

    it("again by anyone when it was given back, or lost sight of by a worker that lives", async () => {
      await submit("a1");
      const source = (await claim())!;
      let calls = 0;
      const stop = bench.other.queue.onSource(() => (calls += 1));
      expect(await bench.queue.releaseSource(source, "worker-a", { isTried: true })).toBe(true);
      await expect.poll(() => calls).toBe(1);
      stop();
      expect(await claim("worker-b")).toMatchObject({ tries: 2 });
      await bench.age(15 * 60 + 1);
      await bench.queue.report({ id: "worker-b", status: "idle", endpoints: { "": {} } });
      expect(await claim("worker-a")).toMatchObject({ tries: 3 });
    });

    it("no more when its job was cancelled, purged, or its time has passed", async () => {
      const cancelled = await submit("a1");
      const source = (await claim())!;
      await bench.jobs.cancel(cancelled, "key-a");
      expect(await bench.queue.holdsSource(source, "worker-a")).toBe(false);
      expect(await bench.queue.keepSource(source, "worker-a", kept("inputs/a1.bin"))).toBe(false);
      await submit("b1");
      expect(await bench.jobs.purge("key-b")).toBe(1);
      await submit("c1", policy({ ttlMs: 10_000 }));
      await bench.age(11);
      expect(await claim()).toBeUndefined();
    });

    it("again for a retry where it failed, and not where its picture is there", async () => {
      const id = await submit("a1");
      const flagged = { code: "IMAGE_UNREADABLE", kind: "imageUrl", values: {} } as const;
      const reason = { error: "image is not a valid URL.", failure: flagged };
      await bench.queue.failSource((await claim())!, "worker-a", reason);
      const retried = await bench.jobs.retry(id, "key-a");
      expect(retried).toMatchObject({ status: "queued" });
      expect([retried!.error, retried!.failure]).toEqual([undefined, undefined]);
      expect(await bench.queue.claim("worker-a")).toBeUndefined();
      const source = (await claim())!;
      expect(source).toMatchObject({ id, tries: 1 });
      await bench.queue.keepSource(source, "worker-a", kept("inputs/a1.bin"));
      const claimed = (await bench.queue.claim("worker-a"))!;
      await bench.queue.finish(claimed, "worker-a", { status: "failed", error: "It failed." });
      await bench.jobs.retry(id, "key-a");
      expect(await claim()).toBeUndefined();
      expect(await bench.queue.claim("worker-a")).toMatchObject({ id });
    });
  });

  it("fails where its key has no room for the picture, as a submission that brings one is refused", async () => {
    const context = {
      ...bench.context,
      settings: { ...bench.context.settings, keyQuotaBytes: 10 * 2 ** 20 },
    };
    const queue = createWorkQueue(context);
    const sources = [{ key: "inputs/large.bin", bytes: 6 * 2 ** 20 }];
    const large = { images: [{ kind: "stored", key: "inputs/large.bin" } as const], sources };
    await submit("a1");
    await queue.keepSource((await claim())!, "worker-a", large);
    const id = await submit("a2");
    const source = (await claim())!;
    const second = { images: large.images, sources: [{ key: "inputs/second.bin", bytes: 4 * 2 ** 20 + 1 }] };
    expect(await queue.keepSource(source, "worker-a", second)).toBe(false);
    const sentence = "The images stored for this key take 6 MB of 10 MB; results are deleted after 168 h.";
    expect(await find(id)).toMatchObject({
      status: "failed",
      error: sentence,
      failure: { code: "QUOTA_EXCEEDED" },
      workerId: "worker-a",
      delayMs: expect.any(Number),
    });
    const counted = await bench.database.query(`select from ${bench.schema}.pictures where job_id = $1`, [
      id,
    ]);
    expect(counted).toHaveLength(0);
    // Another key has a quota of its own, and what just fits is taken.
    await submit("b1");
    expect(await queue.keepSource((await claim())!, "worker-a", second)).toBe(true);
    await submit("a3");
    const fitting = { images: large.images, sources: [{ key: "inputs/third.bin", bytes: 4 * 2 ** 20 }] };
    expect(await queue.keepSource((await claim())!, "worker-a", fitting)).toBe(true);
  });

  it("has its picture deleted as others have", async () => {
    const deleted: string[] = [];
    const maintenance = createMaintenance(bench.context, {
      deleteInput: async (key) => void deleted.push(key),
      onError: (error) => expect.unreachable(String(error)),
    });
    await submit("a1");
    await bench.queue.keepSource((await claim())!, "worker-a", kept("inputs/a1.bin"));
    const claimed = (await bench.queue.claim("worker-a"))!;
    await maintenance.run();
    expect(deleted).toEqual([]);
    await bench.queue.finish(claimed, "worker-a", { status: "completed", result: resultOf() });
    await maintenance.run();
    expect(deleted).toEqual([]);
    await bench.age(1801);
    await maintenance.run();
    expect(deleted).toEqual(["inputs/a1.bin"]);
  });

  it("is downloaded first, too, where an earlier version had queued it", async () => {
    const id = await submit("a1");
    const { context } = bench;
    const [row] = await bench.database.query<{ queue_id: string }>(
      `select queue_id from ${bench.schema}.jobs where id = $1`,
      [id],
    );
    await context.queue.send(bench.database, row!.queue_id, { endpoint: "", isLowPriority: false, turn: 0 });
    expect(await bench.queue.claim("worker-a")).toBeUndefined();
    await bench.queue.keepSource((await claim())!, "worker-a", kept("inputs/a1.bin"));
    expect(await bench.queue.claim("worker-a")).toMatchObject({ id });
  });
});
