/** The look at what is left of a round: it finds nothing after a good one, and every loss that is made here. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { beforeAll, beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { checkData, findProblems } from "../../faults/check.ts";
import { acknowledge, createLedger, type Ledger, seeState } from "../../faults/ledger.ts";
import type { Receipt } from "../../faults/receivers.ts";
import { readConfig } from "../../src/config/config.ts";
import type { NewJob } from "../../src/jobs/job.ts";
import { createMaintenance } from "../../src/jobs/maintenance.ts";
import { createJobs } from "../../src/jobs/owner-jobs.ts";
import { createWorkQueue } from "../../src/jobs/work-queue.ts";
import { createLog } from "../../src/log.ts";
import { type Data, openData } from "../../src/service/data.ts";
import { createKey, OBJECT_KINDS } from "../../src/storage/storage.ts";
import { threadEntry } from "../support/databases.ts";
import { copyEmptyDatabase } from "../support/embedded.ts";
import { EDIT, newJob, resultOf } from "../support/jobs.ts";

const RECEIVER = "http://127.0.0.1:9/healthy";
const TRIES = 3;
const IMAGE = new Uint8Array(100);

interface Left {
  folder: string;
  ledger: Ledger;
  receipts: Receipt[];
  data: Data;
  /** The job that completed, its key in the storage and that of a source that a failed job may need again. */
  done: string;
  result: string;
  failed: string;
  source: string;
}

/** A round in which a job completed, one failed and one was cancelled, and the first two have a webhook. */
async function playRound(): Promise<Left> {
  const folder = await mkdtemp(path.join(tmpdir(), "retouch-test-"));
  await copyEmptyDatabase(path.join(folder, "database"));
  const config = readConfig({ RETOUCH_DATA_DIR: folder });
  const data = await openData({ config, log: createLog({ level: "silent" }), threadEntry });
  const { context, database, storage } = data;
  const { id: keyId } = await data.keys.ensure("a-key-of-sixteen-or-more", "first");
  const [jobs, queue] = [createJobs(context), createWorkQueue(context)];
  const ledger = createLedger();
  const submission = { key: "first", route: "run", body: "", webhook: "healthy", isInline: false } as const;
  const submit = async (changes: Partial<NewJob>): Promise<string> =>
    (await jobs.submit(newJob({ keyId, ...changes }))).job.id;

  const idempotency = { route: "run", key: "once", bodyHash: "hash" };
  const original = createKey("inputs", "bin");
  await storage.put(original, IMAGE);
  const done = await submit({
    idempotency,
    webhook: RECEIVER,
    edit: { ...EDIT, images: [{ kind: "stored", key: original }] },
    sources: [{ key: original, bytes: IMAGE.length }],
  });
  const claimed = (await queue.claim("worker"))!;
  const result = createKey("outputs", "png");
  await storage.put(result, IMAGE);
  const image = { kind: "stored", key: result, bytes: IMAGE.length } as const;
  await queue.finish(claimed, "worker", { status: "completed", result: { ...resultOf(), image } });
  Object.assign(acknowledge(ledger, { ...submission, idempotencyKey: "once", wanted: "COMPLETED" }, done), {
    bytes: IMAGE.length,
  });

  const source = createKey("inputs", "bin");
  await storage.put(source, IMAGE);
  const failed = await submit({ webhook: RECEIVER, sources: [{ key: source, bytes: IMAGE.length }] });
  await queue.finish((await queue.claim("worker"))!, "worker", { status: "failed", error: "It failed." });
  acknowledge(ledger, { ...submission, wanted: "FAILED" }, failed);

  const cancelled = await submit({});
  await jobs.cancel(cancelled, keyId);
  Object.assign(acknowledge(ledger, { ...submission, wanted: "COMPLETED" }, cancelled), {
    isCancelled: true,
  });

  const rows = await database.query<{ message: string; job: string }>(
    "update retouch.webhook_deliveries set status = 'delivered', attempts = 1, job = null returning message_id as message, job_id as job",
  );
  const receipts = rows.map(({ message, job }) => ({
    message,
    job,
    status: "COMPLETED",
    kind: "healthy" as const,
    isAccepted: true,
  }));
  await createMaintenance(context, { deleteInput: (key) => storage.delete(key), onError: raise }).run();
  return { folder, ledger, receipts, data, done, result, failed, source };
}

describe("the rows", () => {
  let left: Left;
  beforeAll(async () => {
    left = await playRound();
    return async () => {
      await left.data.close();
      await rm(left.folder, { recursive: true });
    };
  });

  /** What is found after these statements, which are then taken back. */
  async function foundAfter(...statements: string[]): Promise<string[]> {
    const { data, ledger, receipts } = left;
    let found: string[] = [];
    const back = new Error("taken back");
    const looking = data.database.transaction(async (sql) => {
      for (const statement of statements) await sql.query(statement);
      const problems = await findProblems(sql, { schema: "retouch", ledger, receipts, webhookTries: TRIES });
      found = problems.map(({ what }) => what);
      throw back;
    });
    await expect(looking).rejects.toBe(back);
    return [...new Set(found)].toSorted();
  }

  it("are as they should be", async () => {
    expect(await foundAfter()).toEqual([]);
  });

  it("may hold a late job that waits for the next start in its place, and none without a place", async () => {
    const [make, place] = [
      `insert into retouch.jobs select (jsonb_populate_record(jobs,
         '{"id": "late", "status": "queued", "ended_at": null, "queue_id": "0b9e1d2c-0f4b-4c58-9d7b-111111111111"}')).*
         from retouch.jobs where status = 'cancelled'`,
      "insert into retouch_queue.job (id, name) values ('0b9e1d2c-0f4b-4c58-9d7b-111111111111', 'edits')",
    ];
    const { ledger } = left;
    ledger.undecided.set("first", 1);
    expect(await foundAfter(make, place)).toEqual([]);
    expect(await foundAfter(make)).toEqual(["a job has not ended", "a job is half written"]);
    ledger.undecided.clear();
  });

  const OF_DONE = "(select id from retouch.jobs where status = 'completed')";
  it.each<[string, string[], string[]]>([
    [
      "a job that is gone",
      [`delete from retouch.jobs where id = ${OF_DONE}`],
      [
        "a charge without a job",
        "a counted result without a job",
        "a counter is wrong",
        "a source is kept for nobody",
        "an acknowledged job has no row",
        "an idempotency key stands for another job",
      ],
    ],
    [
      "a job that runs for ever",
      ["update retouch.jobs set status = 'running', ended_at = null, error = null where status = 'failed'"],
      ["a counter is wrong", "a job ended as running", "a job has not ended", "a job is half written"],
    ],
    [
      "a place in the queue that nobody takes",
      [
        "insert into retouch_queue.job (id, name, state) select queue_id, 'edits', 'active' from retouch.jobs where status = 'failed'",
      ],
      ["the queue holds an ended job"],
    ],
    [
      "a charge that is missing",
      ["delete from retouch.usage where is_completed"],
      ["a completed job is not charged"],
    ],
    [
      "a charge for a failure",
      ["update retouch.usage set cost = 1 where not is_completed"],
      ["a failed job is charged"],
    ],
    [
      "a charge for a cancelled job",
      [
        "insert into retouch.usage select id, key_id, ended_at, true, 1 from retouch.jobs where status = 'cancelled'",
      ],
      ["a failed job is charged"],
    ],
    [
      "a job that counts twice",
      ["update retouch.counters set value = value + 1 where name = 'completed'"],
      ["a counter is wrong"],
    ],
    [
      "a second job of one submission",
      [
        "insert into retouch.jobs select (jsonb_populate_record(jobs, '{\"id\": \"other\"}')).* from retouch.jobs where status = 'cancelled'",
      ],
      ["jobs that nobody asked for"],
    ],
    [
      "a job that was cancelled and done",
      [
        "update retouch.jobs as one set status = 'completed', result = other.result, started_at = one.submitted_at from retouch.jobs as other where one.status = 'cancelled' and other.status = 'completed'",
        "insert into retouch.usage select id, key_id, ended_at, true, (result ->> 'cost')::numeric from retouch.jobs where result is not null on conflict do nothing",
      ],
      ["a counter is wrong", "a job ended as completed", "an original is gone"],
    ],
    [
      "a result of another size",
      [
        "update retouch.jobs set result = jsonb_set(result, '{image,bytes}', '99') where status = 'completed'",
      ],
      ["a result has other bytes"],
    ],
    [
      "a result that is not counted",
      ["delete from retouch.pictures where job_id is null"],
      ["a stored result is not counted"],
    ],
    [
      "a result of several that is missing, and one that is not counted",
      [
        `update retouch.jobs set edit = edit || '{"numImages": 3}',
           result = result || jsonb_build_object('images', jsonb_build_array(
             jsonb_build_object('image', result -> 'image'),
             jsonb_build_object('image', jsonb_build_object('kind', 'stored', 'key', 'outputs/other'))))
          where status = 'completed'`,
      ],
      ["a job has 2 results, not 3", "a stored result is not counted"],
    ],
    [
      "a source that nobody needs",
      [`update retouch.pictures set job_id = ${OF_DONE} where job_id is not null`],
      ["a source is kept for nobody"],
    ],
    [
      "an original that is lost",
      [`delete from retouch.pictures where job_id = ${OF_DONE}`],
      ["an original is gone"],
    ],
    [
      "an idempotency key that is forgotten",
      ["delete from retouch.idempotency_keys"],
      ["an idempotency key stands for another job"],
    ],
    [
      "a webhook that was never made",
      [`delete from retouch.webhook_deliveries where job_id = ${OF_DONE}`],
      ["a job has 0 webhooks, not 1", "a webhook of no delivery arrived"],
    ],
    [
      "a webhook that waits for ever",
      ["update retouch.webhook_deliveries set status = 'pending'"],
      ["a webhook is pending"],
    ],
    [
      "a webhook that was given up although it was taken",
      ["update retouch.webhook_deliveries set status = 'failed', attempts = 2"],
      ["a webhook failed although its receiver takes it", "a webhook was given up early"],
    ],
    [
      "a webhook that nobody took",
      ["update retouch.webhook_deliveries set message_id = 'msg_other' || id"],
      ["a webhook counts as delivered, and nobody took it", "a webhook of no delivery arrived"],
    ],
  ])("show %s", async (_, statements, problems) => {
    expect(await foundAfter(...statements)).toEqual(problems);
  });
});

describe("the files", () => {
  let left: Left;
  beforeEach(async () => {
    left = await playRound();
    onTestFinished(() => rm(left.folder, { recursive: true }));
  });

  async function foundAfter(harm: () => Promise<void>): Promise<string[]> {
    const { data, folder, ledger, receipts } = left;
    await harm();
    await data.close();
    await checkData({ ledger, receipts, settings: { RETOUCH_DATA_DIR: folder } });
    return ledger.problems.map(({ what, detail }) => `${what}: ${detail}`);
  }

  it("are those of the rows, and all can be swept", async () => {
    const found = await foundAfter(async () => {
      // What a killed program leaves is no loss: files without a job, and half a file.
      const { storage } = left.data;
      for (const kind of OBJECT_KINDS) await storage.put(createKey(kind, "png"), IMAGE);
      await writeFile(path.join(left.folder, "files", "outputs", ".retouch-0123456789ab.tmp"), "half");
    });
    expect(found).toEqual([]);
  });

  it("show a result and a source that are gone, and files that nothing sweeps", async () => {
    const { data, result, source, folder } = left;
    const found = await foundAfter(async () => {
      await data.storage.delete(result);
      await data.storage.delete(source);
      await writeFile(path.join(folder, "files", "core"), "dump");
    });
    expect(found.toSorted()).toEqual([
      `a file is gone: ${source}`,
      `a file is gone: ${result}`,
      "files that nothing sweeps: core",
    ]);
  });
});

describe("the clients' ledger", () => {
  it("shows two jobs of one Idempotency-Key, and an end that changes", () => {
    const ledger = createLedger();
    const submission = {
      key: "first",
      route: "run",
      body: "",
      idempotencyKey: "once",
      isInline: false,
      wanted: "COMPLETED",
    } as const;
    const job = acknowledge(ledger, submission, "job-1");
    acknowledge(ledger, submission, "job-1");
    expect(ledger.problems).toEqual([]);
    acknowledge(ledger, submission, "job-2");
    const image = (name: string) => ({ image_url: `http://here/files/${name}?expires=1` });
    seeState(ledger, job, { status: "IN_PROGRESS" });
    seeState(ledger, job, { status: "COMPLETED", output: image("one.png") });
    seeState(ledger, job, { status: "COMPLETED", output: image("one.png") });
    seeState(ledger, job, { status: "COMPLETED", output: image("two.png") });
    seeState(ledger, job, { status: "FAILED" });
    expect(ledger.problems.map(({ what }) => what)).toEqual([
      "two jobs of one Idempotency-Key",
      "a result that changed",
      "an end that changed",
    ]);
  });
});

function raise(error: unknown): never {
  throw error;
}
