import { beforeEach, describe, expect, it } from "vitest";
import type { JobEdit, JobLineage, JobResult } from "../../src/jobs/job.ts";
import { createJobs } from "../../src/jobs/owner-jobs.ts";
import { migrate } from "../../src/database/migrations.ts";
import { newSchema } from "../support/databases.ts";
import { describeOnDatabases, EDIT, newJob, OTHER_ENDPOINT, resultOf } from "../support/jobs.ts";

const OWNER = "key-one";
const DIGEST = "ab".repeat(32);

describeOnDatabases("a chain of edits", (bench) => {
  let count = 0;
  beforeEach(() => void (count += 1));
  const key = (name: string): string => `outputs/${name}-${count}.png`;

  /** Submits an edit and completes it. @returns its id */
  async function edit(
    name: string,
    changes: Partial<JobEdit> = {},
    result: Partial<JobResult> = {},
  ): Promise<string> {
    const source = `inputs/${name}-${count}.bin`;
    const images = [{ kind: "stored", key: source, sha256: `sha-of-${name}` } as const];
    const { claimed } = await bench.start("worker-a", {
      edit: { ...EDIT, images, prompt: name, ...changes },
      sources: [{ key: source, bytes: 1 }],
    });
    const image = { kind: "stored", key: key(name), sha256: `result-of-${name}` } as const;
    await bench.queue.finish(claimed, "worker-a", {
      status: "completed",
      result: { ...resultOf(), image, ...result },
    });
    return claimed.id;
  }
  const after = (parent: string, turn = 2): { lineage: JobLineage } => ({
    lineage: { parent, parentImage: 0, turn },
  });

  it("leads from a result back to the first picture", async () => {
    const first = await edit("first");
    const second = await edit("second", after(first));
    const third = await edit("third", after(second, 3));
    for (const name of [key("third"), "result-of-third"]) {
      const found = (await bench.other.jobs.chainOfResult(name, OWNER))!;
      expect(found.place).toBe(0);
      expect(found.chain.map(({ id }) => id)).toEqual([third, second, first]);
      expect(found.chain.map(({ prompt }) => prompt)).toEqual(["third", "second", "first"]);
      expect(found.chain[0]).toMatchObject({
        status: "completed",
        hasMask: false,
        numImages: 1,
        lineage: { parent: second, turn: 3 },
        results: [{ image: { kind: "stored", key: key("third") }, isKept: true }],
      });
      expect(found.chain[2]).toMatchObject({
        lineage: undefined,
        source: { key: `inputs/first-${count}.bin`, sha256: "sha-of-first", isKept: true },
        results: [],
      });
    }
    expect(await bench.jobs.chainOf(second, OWNER)).toMatchObject([{ id: second }, { id: first }]);
  });

  it("belongs to its key, and to its endpoint", async () => {
    const first = await edit("first");
    const second = await edit("second", after(first));
    const elsewhere = createJobs(bench.context, OTHER_ENDPOINT);
    for (const [jobs, keyId] of [
      [bench.jobs, "key-two"],
      [elsewhere, OWNER],
    ] as const) {
      expect(await jobs.chainOf(second, keyId)).toBeUndefined();
      for (const name of [key("second"), "result-of-second"]) {
        expect(await jobs.chainOfResult(name, keyId)).toBeUndefined();
      }
    }
    // A row that names a job of another key, as none can, leads nowhere.
    await bench.database.query(`update ${bench.schema}.jobs set key_id = 'key-two' where id = $1`, [first]);
    expect(await bench.jobs.chainOf(second, OWNER)).toHaveLength(1);
  });

  it("ends where a job is no longer kept", async () => {
    const first = await edit("first");
    const second = await edit("second", after(first));
    await bench.jobs.shortenRetention(first, OWNER, 0);
    expect(await bench.jobs.chainOf(second, OWNER)).toHaveLength(1);
    expect(await bench.jobs.chainOf(first, OWNER)).toBeUndefined();
    expect(await bench.jobs.chainOfResult(key("first"), OWNER)).toBeUndefined();
    await bench.age(1801);
    expect(await bench.jobs.chainOf(second, OWNER)).toBeUndefined();
  });

  it("ends at an edit that was made from the original", async () => {
    const first = await edit("first");
    const again = await edit("again", {
      lineage: { parent: first, parentImage: 0, turn: 2, isFromOriginal: true },
    });
    const third = await edit("third", after(again, 3));
    expect((await bench.jobs.chainOf(third, OWNER))!.map(({ id }) => id)).toEqual([third, again]);
  });

  it("does not go round, whatever the rows say", async () => {
    const first = await edit("first", after("second"));
    const second = await edit("second", after(first));
    await bench.database.query(
      `update ${bench.schema}.jobs set edit = jsonb_set(edit, '{lineage,parent}', to_jsonb($2::text)) where id = $1`,
      [first, second],
    );
    expect(await bench.jobs.chainOf(second, OWNER)).toHaveLength(500);
  });

  it("knows which of several results it is, and what else its edits looked at", async () => {
    const images = [0, 1].map((index) => ({
      image: { kind: "stored", key: key(`several-${index}`), sha256: `${index}${DIGEST}` } as const,
      seed: index,
    }));
    const mask = { kind: "stored", key: "inputs/mask.bin" } as const;
    const pictures = ["inputs/a.bin", "inputs/b.bin"].map((one) => ({ kind: "stored", key: one }) as const);
    await edit("several", { mask, images: pictures }, { image: images[0]!.image, images });
    expect(await bench.jobs.chainOfResult(`1${DIGEST}`, OWNER)).toMatchObject({
      place: 1,
      chain: [{ hasMask: true, numImages: 2, results: [{ isKept: true }, { isKept: true }] }],
    });
    expect(await bench.jobs.chainOfResult(key("several-0"), OWNER)).toMatchObject({ place: 0 });
  });

  it("takes the latest of equal results, and knows results in a bucket by their bytes", async () => {
    const result = { image: { kind: "address", url: "https://bucket.example/a", sha256: DIGEST } as const };
    await edit("first", {}, result);
    const latest = await edit("second", {}, result);
    expect(await bench.jobs.chainOfResult(DIGEST, OWNER)).toMatchObject({
      place: 0,
      chain: [{ id: latest, results: [{ image: { kind: "address" }, isKept: true }] }],
    });
  });

  it("says what is no longer stored", async () => {
    const first = await edit("first");
    await bench.database.query(`delete from ${bench.schema}.pictures`);
    expect(await bench.jobs.chainOf(first, OWNER)).toMatchObject([
      { source: { isKept: false }, results: [{ isKept: false }] },
    ]);
  });

  it("has edits that a worker of an earlier version has ended", async () => {
    const first = await edit("first");
    await bench.database.query(`update ${bench.schema}.jobs set result_names = null`);
    expect(await bench.jobs.chainOf(first, OWNER)).toMatchObject([{ results: [{ isKept: true }] }]);
    expect(await bench.jobs.chainOfResult(key("first"), OWNER)).toBeUndefined();
  });

  it.each(["' or true --", "", "\\", "%", "a".repeat(10_000), "{}", "result-of-nothing"])(
    "is not found by %j",
    async (name) => {
      await edit("first");
      expect(await bench.jobs.chainOf(name, OWNER)).toBeUndefined();
      expect(await bench.jobs.chainOfResult(name, OWNER)).toBeUndefined();
    },
  );

  it("has jobs that are not done, which have no results", async () => {
    const { job } = await bench.start("worker-a");
    expect(await bench.jobs.chainOf(job.id, OWNER)).toMatchObject([{ status: "running", results: [] }]);
    await bench.jobs.cancel(job.id, OWNER);
    expect(await bench.jobs.chainOf(job.id, OWNER)).toMatchObject([{ status: "cancelled", results: [] }]);
  });

  describe("whose next picture is downloaded", () => {
    const download = async (keyId: string, changes: Partial<JobEdit> = {}): Promise<unknown> => {
      const images = [{ kind: "url", url: "https://bucket.example/a.png" } as const];
      await bench.jobs.submit(newJob({ keyId, edit: { ...EDIT, images, prompt: "next", ...changes } }));
      await bench.queue.report({ id: "worker-a", status: "idle", endpoints: { "": {} } });
      const source = (await bench.queue.claimSource("worker-a", { maxOfKey: 9 }))!;
      const stored = { kind: "stored", key: "inputs/next.bin", sha256: "result-of-first" } as const;
      await bench.queue.keepSource(source, "worker-a", {
        images: [stored],
        sources: [{ key: stored.key, bytes: 1 }],
      });
      const claimed = (await bench.queue.claim("worker-a"))!;
      expect(claimed.edit.images).toEqual([stored]);
      return claimed.edit.lineage;
    };

    it("goes on where its bytes are a result of the key", async () => {
      const first = await edit("first");
      expect(await download(OWNER)).toEqual({ parent: first, parentImage: 0, turn: 2, hasOriginal: true });
    });

    it("does not where they are one of another key", async () => {
      await edit("first");
      expect(await download("key-two")).toBeUndefined();
    });

    it("keeps the parent that the request named", async () => {
      await edit("first");
      expect(await download(OWNER, after("named"))).toEqual(after("named").lineage);
    });
  });

  it("has results of earlier versions, by their keys", async () => {
    const old = { ...bench.database, schema: newSchema() };
    await migrate(old, { to: 10 });
    const insert = (id: string, result: object | null): Promise<unknown> =>
      old.query(
        `insert into ${old.schema}.jobs (id, key_id, is_sync, status, is_low_priority, edit, base_url, ttl_ms,
           retention_ms, queue_id, expires_at, result)
         values ($1, 'a', false, 'completed', false, '{}', 'http://a', 1, 1, gen_random_uuid(), now(), $2)`,
        [id, result && JSON.stringify(result)],
      );
    const [a, b] = ["a", "b"].map((one) => ({ image: { kind: "stored", key: `outputs/${one}.png` } }));
    await insert("one", a!);
    await insert("several", { ...a!, images: [a, b] });
    await insert("bucket", { image: { kind: "address", url: "https://a.example" } });
    await insert("none", null);
    await migrate(old);
    expect(await old.query(`select id, result_names from ${old.schema}.jobs order by id`)).toEqual([
      { id: "bucket", result_names: [] },
      { id: "none", result_names: null },
      { id: "one", result_names: ["outputs/a.png"] },
      { id: "several", result_names: ["outputs/a.png", "outputs/a.png", "outputs/b.png"] },
    ]);
    await old.query(`drop schema ${old.schema} cascade`);
  });
});
