/** Jobs on each of the databases, without a server and without workers. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, beforeEach, describe } from "vitest";
import { connectDatabase, type Database } from "../../src/database/database.ts";
import { migrate, quoted } from "../../src/database/migrations.ts";
import type { Clock } from "../../src/jobs/clock.ts";
import type { JobsContext, JobsSettings } from "../../src/jobs/context.ts";
import { createCounters, DEFAULT_ENDPOINT } from "../../src/jobs/endpoints.ts";
import { createEvents } from "../../src/jobs/events.ts";
import type { Job, JobEdit, JobResult, NewJob } from "../../src/jobs/job.ts";
import { createJobs } from "../../src/jobs/owner-jobs.ts";
import { createQueue, type Queue } from "../../src/jobs/queue.ts";
import { createWorkQueue } from "../../src/jobs/work-queue.ts";
import type { Jobs, WorkQueue } from "../../src/jobs/contracts.ts";
import { databaseUrl, dropSchema, newSchema, postgresMissing } from "./databases.ts";
import { copyEmptyDatabase, openEmbedded } from "./embedded.ts";

export type DatabaseName = "PGlite" | "PostgreSQL";

/** What one process has of the jobs. */
export interface Site {
  context: JobsContext;
  jobs: Jobs;
  queue: WorkQueue;
}

/** Empty at the start of each test. */
export interface Bench extends Site {
  readonly name: DatabaseName;
  database: Database;
  /** What another process on the same database has: connections of its own, where there can be more than one. */
  other: Site;
  /** As it stands in statements. */
  schema: string;
  /** Lets time pass for everything that has been written so far. */
  age(seconds: number): Promise<void>;
  /** Submits a job and claims it. */
  start(workerId: string, changes?: Partial<NewJob>): Promise<{ job: Job; claimed: ClaimedByTest }>;
}

type ClaimedByTest = NonNullable<Awaited<ReturnType<WorkQueue["claim"]>>>;

export const OTHER_ENDPOINT = "klein";

export const SETTINGS: JobsSettings = {
  leaseMs: 60_000,
  maxAttempts: 2,
  idempotencyLifetimeMs: 24 * 60 * 60_000,
  maxQueued: 50,
  maxQueuedPerWorker: 500,
  maxQueuedTotal: 10_000,
  keyQuotaBytes: 2 ** 40,
  reviewTimeoutMs: 72 * 60 * 60_000,
  fileLifetimeMs: 7 * 24 * 60 * 60_000,
  keepOriginals: true,
};

const SIZE = { width: 1024, height: 1024 };

export const EDIT: JobEdit = {
  images: [{ kind: "stored", key: "inputs/picture.bin" }],
  prompt: "Make it night",
  negativePrompt: "",
  trueCfgScale: 2,
  size: SIZE,
  numSteps: 28,
  guidance: 2,
  seed: 7,
  format: "png",
  isSafetyChecked: false,
  isInlineResult: false,
  isPreviewed: false,
  isUnchangedKept: false,
  loras: [],
};

export const newJob = (changes: Partial<NewJob> = {}): NewJob => ({
  keyId: "key-one",
  isSync: false,
  edit: EDIT,
  sources: [],
  policy: { ttlMs: 86_400_000, executionTimeoutMs: 600_000, retentionMs: 1_800_000, isLowPriority: false },
  baseUrl: "http://retouch.example",
  ...changes,
});

export const policy = (changes: Partial<NewJob["policy"]>): Pick<NewJob, "policy"> => ({
  policy: { ...newJob().policy, ...changes },
});

export const resultOf = (cost = 0.031457): JobResult => ({
  image: { kind: "stored", key: "outputs/picture.png" },
  format: "png",
  size: SIZE,
  workingSize: SIZE,
  referenceSize: SIZE,
  seed: 7,
  numSteps: 28,
  guidance: 2,
  isNegativeUsed: false,
  trueCfgScale: 1,
  model: "tiny",
  precision: "float32",
  notices: [],
  cost,
});

/** Runs the tests on PGlite, and on PostgreSQL where one answers. */
export function describeOnDatabases(
  subject: string,
  tests: (bench: Bench) => void,
  settings: Partial<JobsSettings> = {},
): void {
  describe.each<DatabaseName>(["PGlite", "PostgreSQL"])(`${subject} on %s`, (name) => {
    describe.skipIf(name === "PostgreSQL" && postgresMissing !== undefined)(
      postgresMissing ?? "answers",
      () => {
        const bench = { name } as Bench;
        let close: () => Promise<void>;
        beforeAll(async () => {
          const opened = await open(name, { ...SETTINGS, ...settings });
          ({ close } = opened);
          Object.assign(bench, opened.bench);
        });
        afterAll(() => close());
        beforeEach(async () => {
          // Who was looked up within the last second is remembered, here too.
          bench.jobs = createJobs(bench.context);
          await empty(bench.database);
        });
        tests(bench);
      },
    );
  });
}

async function open(
  name: DatabaseName,
  settings: JobsSettings,
): Promise<{ bench: Bench; close: () => Promise<void> }> {
  const folder = await mkdtemp(path.join(tmpdir(), "retouch-test-"));
  const schema = newSchema();
  const openOne = async (): Promise<Database> => {
    if (name === "PostgreSQL") return connectDatabase({ url: databaseUrl, schema, onError: raise });
    await copyEmptyDatabase(path.join(folder, "database"));
    return openEmbedded(path.join(folder, "database"));
  };
  const database = await openOne();
  await migrate(database);
  const queue = createQueue(database, raise);
  const endpoints = [DEFAULT_ENDPOINT, OTHER_ENDPOINT];
  await queue.start(endpoints);
  await createCounters(database, endpoints);
  const own = siteOf(database, queue, settings);
  const another = name === "PostgreSQL" ? await openOne() : database;
  const other = another === database ? own : siteOf(another, queue, settings);
  const bench: Bench = {
    name,
    database,
    ...own,
    other,
    schema: quoted(database.schema),
    async age(seconds) {
      for (const [table, columns] of Object.entries(TIMES)) {
        const changes = columns.map((column) => `${column} = ${column} - $1 * interval '1 second'`);
        await database.query(`update ${bench.schema}.${table} set ${changes.join(", ")}`, [seconds]);
      }
    },
    async start(workerId, changes) {
      const { job } = await bench.jobs.submit(newJob(changes));
      const claimed = await bench.queue.claim(workerId);
      if (claimed?.id !== job.id) throw new Error("Another job was waiting.");
      return { job, claimed };
    },
  };
  return {
    bench,
    async close() {
      for (const { context } of new Set([own, other])) context.events.close();
      await queue.stop();
      for (const one of new Set([database, another])) await one.close();
      await rm(folder, { recursive: true, force: true });
      if (name === "PostgreSQL") await dropSchema(schema);
    },
  };
}

/** All times that are compared with now. */
const TIMES: Record<string, string[]> = {
  jobs: [
    "submitted_at",
    "started_at",
    "ended_at",
    "expires_at",
    "repeatable_until",
    "lease_until",
    "source_started_at",
    "held_at",
    "review_until",
  ],
  pictures: ["expires_at", "delete_after"],
  rates: ["ends_at"],
  call_places: ["seen_at"],
  usage: ["ended_at"],
  workers: ["seen_at"],
  webhook_deliveries: ["created_at", "next_attempt_at", "last_attempt_at"],
  webhook_secrets: ["created_at", "ends_at"],
};

/** The database's clock, in which everyone trusts. */
export function steadyClock(database: Database): Clock {
  return {
    async look() {
      const [row] = await database.query<{ now: number }>(
        "select (extract(epoch from clock_timestamp()) * 1000)::float8 as now",
      );
      return { nowMs: row!.now, mayJudge: true, mayDelete: true, isUnsteady: false };
    },
    latest: () => ({ nowMs: Date.now(), mayJudge: true, mayDelete: true }),
  };
}

function siteOf(database: Database, queue: Queue, settings: JobsSettings): Site {
  const events = createEvents(database.notifications);
  const context = { database, queue, events, settings, clock: steadyClock(database) };
  return { context, jobs: createJobs(context), queue: createWorkQueue(context) };
}

async function empty({ schema, query }: Database): Promise<void> {
  const tables = [
    "jobs",
    "usage",
    "workers",
    "webhook_deliveries",
    "webhook_secrets",
    "api_keys",
    "pictures",
    "rates",
    "call_places",
  ];
  await query(
    `${tables.map((table) => `delete from ${quoted(schema)}.${table}`).join("; ")};
     truncate ${quoted(schema)}.review_entries;
     update ${quoted(schema)}.counters set value = 0;
     delete from ${quoted(`${schema}_queue`)}.job`,
  );
}

function raise(error: Error): never {
  throw error;
}
