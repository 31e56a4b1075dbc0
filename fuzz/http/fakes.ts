/** Jobs, keys and storage in memory, which refuse what a database refuses. Every job ends as soon as it is there. */
import { RetouchError } from "../../src/errors.ts";
import type { Jobs } from "../../src/jobs/contracts.ts";
import type { Job, JobResult, JobStatus } from "../../src/jobs/job.ts";
import type { Keys } from "../../src/keys/contracts.ts";
import type { OperatorDependencies } from "../../src/server/operator/routes.ts";
import { contentTypeOf, type Storage } from "../../src/storage/storage.ts";

export const KEY = "fuzz-key-of-sixteen-or-more";
const KEY_ID = "key_of_the_fuzzer";
/** Of results that are there from the start. */
export const RESULT = `${"r".repeat(32)}.png`;
/** Jobs that are there from the start, one in each state. */
export const JOB_IDS: Readonly<Record<JobStatus, string>> = {
  queued: "11111111-aaaa-4aaa-8aaa-aaaaaaaaaaaa-u1",
  running: "22222222-aaaa-4aaa-8aaa-aaaaaaaaaaaa-u1",
  held: "77777777-aaaa-4aaa-8aaa-aaaaaaaaaaaa-u1",
  completed: "33333333-aaaa-4aaa-8aaa-aaaaaaaaaaaa-u1",
  failed: "44444444-aaaa-4aaa-8aaa-aaaaaaaaaaaa-u1",
  timedOut: "sync-55555555-aaaa-4aaa-8aaa-aaaaaaaaaaaa-u1",
  cancelled: "66666666-aaaa-4aaa-8aaa-aaaaaaaaaaaa-u1",
};
const MAX_KEPT = 200;

const RESULT_OF_A_JOB: JobResult = {
  image: { kind: "stored", key: `outputs/${RESULT}` },
  format: "png",
  size: { width: 1024, height: 1024 },
  workingSize: { width: 128, height: 128 },
  referenceSize: { width: 144, height: 96 },
  seed: 7,
  numSteps: 28,
  guidance: 2,
  isNegativeUsed: false,
  trueCfgScale: 2,
  model: "tiny",
  precision: "float32",
  notices: [],
  cost: 0.03,
};

const SURROGATE = /\p{Surrogate}/u;

/** As PostgreSQL does. @throws Error for a text that it does not store */
function checkStorable(value: unknown): void {
  if (typeof value === "string") {
    if (value.includes("\0") || SURROGATE.test(value)) throw new Error("invalid byte sequence for encoding");
  } else if (typeof value === "number") {
    if (!Number.isFinite(value)) throw new Error("invalid input syntax for type json");
  } else if (typeof value === "object" && value !== null && !(value instanceof Date)) {
    for (const [name, inner] of Object.entries(value)) {
      checkStorable(name);
      checkStorable(inner);
    }
  }
}

/** As PostgreSQL does. @throws Error for a day that is none */
function checkDay(day: string): void {
  const date = new Date(`${day}T00:00:00Z`);
  if (Number.isNaN(date.getTime()) || !date.toISOString().startsWith(day)) {
    throw new Error(`date/time field value out of range: ${day}`);
  }
}

function whole(number: number): number {
  if (!Number.isSafeInteger(number) || number < 0) throw new Error("invalid input syntax for type bigint");
  return number;
}

export function createFakeJobs(): Jobs {
  const fixed = new Map(Object.entries(JOB_IDS).map(([status, id]) => [id, jobOf(id, status as JobStatus)]));
  const made = new Map<string, Job>();
  const repeats = new Map<string, { bodyHash: string; id: string }>();
  let count = 0;

  function own(id: string): Job | undefined {
    checkStorable(id);
    return fixed.get(id) ?? made.get(id);
  }
  function keep<Kept>(map: Map<string, Kept>, name: string, value: Kept): void {
    map.set(name, value);
    if (map.size > MAX_KEPT) map.delete(map.keys().next().value!);
  }
  const earlierOf: Jobs["findRepeated"] = async (_, idempotency) => {
    checkStorable(idempotency);
    const earlier = idempotency && repeats.get(`${idempotency.route} ${idempotency.key}`);
    if (earlier === undefined) return undefined;
    if (earlier.bodyHash === idempotency!.bodyHash) return made.get(earlier.id);
    throw new RetouchError("IDEMPOTENCY_CONFLICT", "Another body.");
  };

  return {
    async submit(job) {
      checkStorable(job);
      const earlier = await earlierOf(job.keyId, job.idempotency);
      if (earlier) return { job: earlier, isRepeat: true };
      count += 1;
      const id = `${job.isSync ? "sync-" : ""}${count}-u1`;
      const { idempotency } = job;
      if (idempotency) keep(repeats, `${idempotency.route} ${idempotency.key}`, { ...idempotency, id });
      const ended = { ...jobOf(id, "completed"), baseUrl: job.baseUrl, isSync: job.isSync };
      keep(made, id, ended);
      return { job: ended, isRepeat: false };
    },
    findRepeated: earlierOf,
    async admitBytes(_, bytes) {
      whole(bytes);
    },
    find: async (id) => own(id),
    async chainOf(id) {
      const job = own(id);
      if (job === undefined) return undefined;
      const { status } = job;
      const source = { key: `inputs/${"a".repeat(32)}.bin`, isKept: false };
      return [{ id, status, prompt: "a", hasMask: false, numImages: 1, source, results: [] }];
    },
    async chainOfResult(name) {
      checkStorable(name);
      return undefined;
    },
    waitForEnd: async (id) => own(id),
    async takeChunks(id) {
      const job = own(id);
      if (job === undefined) return undefined;
      const chunks = job.result ? [{ kind: "result" as const, result: job.result }] : [];
      return { job, chunks, giveBack: async () => {} };
    },
    async readChunks(id, _, { after, submitted }) {
      whole(after);
      return { job: own(id) ?? submitted, chunks: [], position: after };
    },
    async shortenRetention(id, _, ttlMs) {
      whole(ttlMs);
      return own(id);
    },
    cancel: async (id) => own(id),
    async retry(id) {
      const job = own(id);
      if (job === undefined || job.status === "failed" || job.status === "timedOut") return job;
      throw new RetouchError("NOT_RETRYABLE", "Only failed and timed-out jobs can be retried.");
    },
    purge: async () => 0,
    async list(_, { offset, limit }) {
      const all = [...fixed.values()];
      return { jobs: all.slice(whole(offset), offset + whole(limit)), total: all.length };
    },
    async place(id) {
      const job = own(id);
      return job && { status: job.status, numAhead: 0 };
    },
    speed: async () => ({ nativeArea: 2 ** 20, grid: 16, fixedMs: 100, stepMs: 10 }),
    health: async () => ({
      jobs: { completed: 1, failed: 1, inProgress: 1, inQueue: 1, retried: 0 },
      workers: { idle: 1, initializing: 0, ready: 1, running: 0, throttled: 0, unhealthy: 0 },
    }),
    async usage(_, { from, to }) {
      checkDay(from);
      checkDay(to);
      return [];
    },
    async deliveries(_, { offset, limit }) {
      whole(offset);
      whole(limit);
      return [];
    },
  };
}

function jobOf(id: string, status: JobStatus): Job {
  const isEnded = !["queued", "running"].includes(status);
  return {
    id,
    keyId: KEY_ID,
    isSync: id.startsWith("sync-"),
    status,
    submittedAt: new Date(),
    ...(status === "queued"
      ? {}
      : { startedAt: new Date(), delayMs: 1, executionMs: 2, workerId: "a1b2c3d4e5f6g7" }),
    ...(isEnded ? { endedAt: new Date() } : {}),
    ...(status === "running" ? { progress: { step: 1, of: 28 } } : {}),
    ...(status === "completed" ? { result: RESULT_OF_A_JOB } : {}),
    ...(status === "failed" ? { error: "The edit failed." } : {}),
    retries: 0,
    baseUrl: "http://127.0.0.1:8000",
  };
}

export function createFakeKeys(): Pick<Keys, "verify"> {
  const record = {
    id: KEY_ID,
    name: "fuzz",
    prefix: KEY.slice(0, 10),
    createdAt: new Date(0),
    isOperator: true as const,
  };
  return { verify: async (key) => (key === KEY ? record : undefined) };
}

/** One held result, about which any decision may be made again and again. */
export function createFakeOperator(): OperatorDependencies {
  const safety = { checker: { name: "fuzz", sha256: "00" }, threshold: 0.7, scores: [0.8] };
  const held = {
    jobId: JOB_IDS.held,
    keyId: KEY_ID,
    endpoint: "",
    heldAt: new Date(0),
    until: new Date(1),
    prompt: "Make it night",
    safety,
    pictures: [{ key: `outputs/${RESULT}`, bytes: 8 }],
  };
  const entry = { at: new Date(0), jobId: held.jobId, keyId: KEY_ID, event: "held" as const, safety };
  return {
    operations: {
      queues: async () => [{ keyId: KEY_ID, endpoint: "", queued: 1, running: 1, held: 1 }],
      workers: async () => [{ id: "w", status: "idle", seenAt: new Date(0), endpoints: { "": {} } }],
      used: async () => new Map([[KEY_ID, { bytes: 8, completed: 1, failed: 0, cost: 0.03 }]]),
      stored: async () => [{ kind: "outputs", files: 1, bytes: 8 }],
      databaseBytes: async () => 8192,
      course: async (id) =>
        id === held.jobId
          ? { id, keyId: KEY_ID, endpoint: "", status: "held", safety, course: [], deliveries: [] }
          : undefined,
    },
    reviews: {
      list: async () => ({ held: [held], total: 1 }),
      find: async (id) => (id === held.jobId ? held : undefined),
      decide: async (id) => (id === held.jobId ? ({ id } as Job) : undefined),
      log: async () => [{ ...entry, actor: { name: "fuzz" } }],
    },
    keys: {
      list: async () => [],
      create: async (name) => ({
        key: "rt_made",
        webhookSecret: "whsec_made",
        record: { id: "key_0123456789abcdef", name, prefix: "rt_ma", createdAt: new Date(0) },
      }),
      revoke: async () => true,
    },
    disk: async () => ({ freeBytes: 1, totalBytes: 2, keptFreeBytes: 0 }),
  };
}

export function createFakeStorage(bytes: Uint8Array): Pick<Storage, "get" | "put" | "delete"> {
  return {
    async put() {},
    async delete() {},
    get: async (key) =>
      key === `outputs/${RESULT}` ? { bytes, contentType: contentTypeOf(key) } : undefined,
  };
}
