import { beforeEach, describe, expect, it } from "vitest";
import type { JobsSettings } from "../../src/jobs/context.ts";
import type { Jobs } from "../../src/jobs/contracts.ts";
import type { JobEdit, KeyRoom } from "../../src/jobs/job.ts";
import { createMaintenance } from "../../src/jobs/maintenance.ts";
import { createJobs } from "../../src/jobs/owner-jobs.ts";
import { findNeeded } from "../../src/jobs/pictures.ts";
import { createWorkQueue } from "../../src/jobs/work-queue.ts";
import { describeOnDatabases, EDIT, newJob, resultOf } from "../support/jobs.ts";
import { refusal } from "../support/refusal.ts";

const DAY = 24 * 3600;

describeOnDatabases("what one key may use", (bench) => {
  const jobsWith = (changes: Partial<JobsSettings>, { context } = bench as typeof bench.other): Jobs =>
    createJobs({ ...context, settings: { ...context.settings, maxQueuedPerWorker: 0, ...changes } });
  const submit = (jobs: Jobs, keyId: string) => jobs.submit(newJob({ keyId }));
  const countTaken = async (jobs: Jobs, keyId: string, tries: number): Promise<number> => {
    const all = await Promise.allSettled(Array.from({ length: tries }, () => submit(jobs, keyId)));
    return all.filter(({ status }) => status === "fulfilled").length;
  };

  describe("of the queue", () => {
    it("leaves room for others", async () => {
      const jobs = jobsWith({ maxQueued: 2 });
      expect(await countTaken(jobs, "key-one", 10)).toBe(3);
      expect(await countTaken(jobs, "key-two", 10)).toBe(3);
    });

    it("is bounded for all keys together", async () => {
      const jobs = jobsWith({ maxQueued: 2, maxQueuedTotal: 4 });
      expect(await countTaken(jobs, "key-one", 3)).toBe(3);
      expect(await countTaken(jobs, "key-two", 3)).toBe(2);
      await expect(submit(jobs, "key-two")).rejects.toEqual(
        refusal("QUEUE_FULL", "5 jobs are waiting already, which is the limit; try again later."),
      );
    });

    it("is the same on all servers, in turns and at once", async () => {
      const [one, other] = [jobsWith({ maxQueued: 4 }), jobsWith({ maxQueued: 4 }, bench.other)];
      for (const jobs of [one, other, one, other, one]) await submit(jobs, "key-one");
      const full = refusal(
        "QUEUE_FULL",
        "5 jobs of this key are waiting already, which is the limit; try again later.",
      );
      for (const jobs of [one, other]) await expect(submit(jobs, "key-one")).rejects.toEqual(full);
    });

    it("counts what was retried, and refuses a retry beyond it", async () => {
      const jobs = jobsWith({ maxQueued: 1 });
      const failed: string[] = [];
      for (let count = 0; count < 3; count += 1) {
        const { job } = await submit(bench.jobs, "key-one");
        const claimed = (await bench.queue.claim("worker-a"))!;
        await bench.queue.finish(claimed, "worker-a", { status: "failed", error: "It failed." });
        failed.push(job.id);
      }
      expect(await jobs.retry(failed[0]!, "key-one")).toMatchObject({ status: "queued" });
      expect(await jobs.retry(failed[1]!, "key-one")).toMatchObject({ status: "queued" });
      for (const all of [jobs, jobsWith({ maxQueued: 1 }, bench.other)]) {
        await expect(all.retry(failed[2]!, "key-one")).rejects.toEqual(refusal("QUEUE_FULL", /^\d jobs of/));
        await expect(submit(all, "key-one")).rejects.toEqual(refusal("QUEUE_FULL", /^\d jobs of/));
      }
      expect(await bench.jobs.find(failed[2]!, "key-one")).toMatchObject({ status: "failed" });
    });
  });

  describe("of the storage", () => {
    const MB = 2 ** 20;
    let jobs: Jobs;
    beforeEach(() => {
      jobs = jobsWith({ keyQuotaBytes: 10 * MB });
    });
    const store = async (bytes: number): Promise<string> => {
      const key = `inputs/${Math.random()}.bin`;
      const edit = { ...EDIT, images: [{ kind: "stored", key } as const] };
      return (await bench.jobs.submit(newJob({ edit, sources: [{ key, bytes }] }))).job.id;
    };
    const OVER = "The images stored for this key take 8 MB of 10 MB; results are deleted after 168 h.";
    const over = refusal("QUOTA_EXCEEDED", OVER);

    it("counts sources until they are deleted", async () => {
      const id = await store(8 * MB);
      await jobs.admitBytes("key-one", 2 * MB);
      jobs = jobsWith({ keyQuotaBytes: 10 * MB });
      await expect(jobs.admitBytes("key-one", 2 * MB + 1)).rejects.toEqual(over);
      await jobsWith({ keyQuotaBytes: 10 * MB }, bench.other).admitBytes("key-two", 10 * MB);
      await bench.jobs.cancel(id, "key-one");
      await createMaintenance(bench.context, {
        deleteInput: async () => {},
        onError: (error) => expect.unreachable(String(error)),
      }).run();
      await jobsWith({ keyQuotaBytes: 10 * MB }).admitBytes("key-one", 10 * MB);
    });

    it("counts results until their addresses end", async () => {
      const { claimed } = await bench.start("worker-a");
      const result = resultOf();
      const image = { kind: "stored", key: "outputs/large.png", bytes: 8 * MB } as const;
      await bench.queue.finish(claimed, "worker-a", { status: "completed", result: { ...result, image } });
      await expect(jobs.admitBytes("key-one", 3 * MB)).rejects.toEqual(over);
      await bench.age(7 * DAY - 60);
      const maintenance = createMaintenance(bench.context, {
        deleteInput: async () => {},
        onError: (error) => expect.unreachable(String(error)),
      });
      await maintenance.run();
      await expect(jobsWith({ keyQuotaBytes: 10 * MB }).admitBytes("key-one", 3 * MB)).rejects.toEqual(over);
      await bench.age(61);
      await maintenance.run();
      await jobsWith({ keyQuotaBytes: 10 * MB }).admitBytes("key-one", 3 * MB);
    });

    it("tells the worker what is left for results that may be large, and are stored here", async () => {
      const settings = { ...bench.context.settings, keyQuotaBytes: 10 * MB };
      const queue = createWorkQueue({ ...bench.context, settings });
      await store(8 * MB);
      await queue.finish((await queue.claim("worker-a"))!, "worker-a", { status: "failed", error: "No." });
      const roomOf = async (changes: Partial<JobEdit>): Promise<KeyRoom | undefined> => {
        await bench.jobs.submit(newJob({ edit: { ...EDIT, ...changes } }));
        return (await queue.claim("worker-a"))!.room;
      };
      expect(await roomOf({ size: "source" })).toEqual({ bytes: 2 * MB, fullText: OVER });
      expect(await roomOf({ numImages: 8 })).toMatchObject({ bytes: 2 * MB });
      expect(await roomOf({})).toBeUndefined();
      const bucket = {
        accessId: "id",
        accessSecret: "secret",
        bucketName: "b",
        endpointUrl: "https://s3.example",
      };
      expect(await roomOf({ size: "source", bucket })).toBeUndefined();
    });

    it("counts what comes at the same moment", async () => {
      const all = await Promise.allSettled(
        Array.from({ length: 10 }, () => jobs.admitBytes("key-one", 3 * MB)),
      );
      expect(all.filter(({ status }) => status === "fulfilled")).toHaveLength(3);
    });

    it("knows which objects are still needed", async () => {
      await store(1);
      const [row] = await bench.database.query<{ storage_key: string }>(
        `select storage_key from ${bench.schema}.pictures`,
      );
      const key = row!.storage_key;
      expect(await findNeeded(bench.context, [key, "inputs/orphan.bin"])).toEqual(new Set([key]));
    });
  });
});
