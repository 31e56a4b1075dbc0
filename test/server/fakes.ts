/** Jobs, keys and storage in memory, with handles to move them by. No clock: a job stays where a test puts it. */
import { randomUUID } from "node:crypto";
import { RetouchError } from "../../src/errors.ts";
import type { EditSpeed } from "../../src/engine/estimate.ts";
import type { Health, Jobs, UsageDay, WaitOptions, WebhookDelivery } from "../../src/jobs/contracts.ts";
import { isEnded, type Job, type JobChunk, type JobResult, type NewJob } from "../../src/jobs/job.ts";
import type { OperatorDependencies } from "../../src/server/operator/routes.ts";
import type { Keys } from "../../src/keys/contracts.ts";
import { contentTypeOf, type Storage } from "../../src/storage/storage.ts";

export const resultOf = (key: string, changes: Partial<JobResult> = {}): JobResult => ({
  image: { kind: "stored", key },
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
  cost: 0.031457,
  ...changes,
});

export interface FakeJobs extends Jobs {
  /** What was submitted, in order; repeats included. */
  submitted: NewJob[];
  /** Waits that go on now. */
  waiting(): number;
  /** Ids of the jobs that wait for a worker. */
  queuedIds(): string[];
  /** Changes a job, and wakes who waits for it. */
  change(id: string, changes: Partial<Job>): void;
  addChunk(id: string, chunk: JobChunk): void;
  chunksLeft(id: string): number;
  /** The next submission is refused with this. */
  refuseNext(error: Error): void;
  setHealth(health: Promise<Health>): void;
  /** What a worker has measured. */
  speedOf?: EditSpeed | undefined;
  /** What a key may still store. */
  bytesLeft: number;
  deliveriesOf: WebhookDelivery[];
  usageOf: UsageDay[];
}

export function createFakeJobs(): FakeJobs {
  const jobs = new Map<string, Job>();
  const chunks = new Map<string, JobChunk[]>();
  const repeats = new Map<string, { bodyHash: string; id: string }>();
  const listeners = new Set<() => void>();
  let refusal: Error | undefined;
  let waiting = 0;
  let health: Promise<Health> | undefined;
  const own = (id: string, keyId: string): Job | undefined => {
    const job = jobs.get(id);
    return job?.keyId === keyId ? job : undefined;
  };
  const wake = (): void => {
    for (const listener of listeners) listener();
  };

  /** Until `isDone`, the end of the time, or the signal. */
  async function wait({ waitMs, signal }: WaitOptions, isDone: () => boolean): Promise<void> {
    waiting += 1;
    await new Promise<void>((resolve) => {
      const look = (): void => {
        if (isDone() || signal?.aborted) end();
      };
      const timer = setTimeout(() => end(), waitMs);
      const end = (): void => {
        clearTimeout(timer);
        listeners.delete(look);
        resolve();
      };
      listeners.add(look);
      signal?.addEventListener("abort", end, { once: true });
      look();
    });
    waiting -= 1;
  }

  const fake: FakeJobs = {
    submitted: [],
    bytesLeft: Infinity,
    usageOf: [],
    deliveriesOf: [],
    waiting: () => waiting,
    queuedIds: () => [...jobs.values()].filter(({ status }) => status === "queued").map(({ id }) => id),
    change(id, changes) {
      jobs.set(id, { ...jobs.get(id)!, ...changes });
      wake();
    },
    addChunk(id, chunk) {
      chunks.set(id, [...(chunks.get(id) ?? []), chunk]);
      wake();
    },
    chunksLeft: (id) => chunks.get(id)?.length ?? 0,
    refuseNext(error) {
      refusal = error;
    },
    setHealth(promise) {
      health = promise;
    },

    async submit(job) {
      if (refusal) {
        const error = refusal;
        refusal = undefined;
        throw error;
      }
      fake.submitted.push(job);
      const repeatKey = job.idempotency && `${job.keyId} ${job.idempotency.route} ${job.idempotency.key}`;
      const earlier = repeatKey === undefined ? undefined : repeats.get(repeatKey);
      if (earlier) {
        if (earlier.bodyHash !== job.idempotency!.bodyHash)
          throw new RetouchError("IDEMPOTENCY_CONFLICT", "Another body.");
        return { job: jobs.get(earlier.id)!, isRepeat: true };
      }
      const id = `${job.isSync ? "sync-" : ""}${randomUUID()}-u1`;
      if (repeatKey !== undefined) repeats.set(repeatKey, { bodyHash: job.idempotency!.bodyHash, id });
      const { keyId, isSync, baseUrl, call } = job;
      const made: Job = {
        id,
        keyId,
        isSync,
        baseUrl,
        call,
        status: "queued",
        submittedAt: new Date(),
        retries: 0,
      };
      jobs.set(id, made);
      return { job: made, isRepeat: false };
    },
    async findRepeated(keyId, idempotency) {
      if (idempotency === undefined) return undefined;
      const { route, key, bodyHash } = idempotency;
      const earlier = repeats.get(`${keyId} ${route} ${key}`);
      if (earlier === undefined) return undefined;
      if (earlier.bodyHash !== bodyHash) throw new RetouchError("IDEMPOTENCY_CONFLICT", "Another body.");
      return jobs.get(earlier.id);
    },
    async admitBytes(_keyId, bytes) {
      if (bytes > fake.bytesLeft) throw new RetouchError("QUOTA_EXCEEDED", "No more bytes.");
    },
    find: async (id, keyId) => own(id, keyId),
    chainOf: async () => undefined,
    chainOfResult: async () => undefined,
    async waitForEnd(id, keyId, options) {
      const isDone = (): boolean => {
        const job = own(id, keyId);
        return job === undefined || isEnded(job.status);
      };
      await wait(options, isDone);
      return own(id, keyId);
    },
    async takeChunks(id, keyId, options) {
      await wait(options, () => {
        const job = own(id, keyId);
        return job === undefined || isEnded(job.status) || fake.chunksLeft(id) > 0;
      });
      const job = own(id, keyId);
      if (job === undefined) return undefined;
      const taken = chunks.get(id) ?? [];
      chunks.delete(id);
      return {
        job,
        chunks: taken,
        giveBack: async () => void chunks.set(id, [...taken, ...(chunks.get(id) ?? [])]),
      };
    },
    async readChunks(id, keyId, { after, ...options }) {
      const left = (): JobChunk[] => (chunks.get(id) ?? []).slice(after);
      await wait(options, () => {
        const job = own(id, keyId);
        return job === undefined || isEnded(job.status) || left().length > 0;
      });
      const job = own(id, keyId);
      return job && { job, chunks: left(), position: after + left().length };
    },
    async shortenRetention(id, keyId, ttlMs) {
      const job = own(id, keyId);
      if (job && ttlMs === 0) jobs.delete(id);
      return job;
    },
    async cancel(id, keyId) {
      const job = own(id, keyId);
      if (job && !isEnded(job.status)) fake.change(id, { status: "cancelled", endedAt: new Date() });
      return own(id, keyId);
    },
    async retry(id, keyId) {
      const job = own(id, keyId);
      if (job === undefined) return undefined;
      if (job.status !== "failed" && job.status !== "timedOut")
        throw new RetouchError("NOT_RETRYABLE", "Only failed and timed-out jobs can be retried.");
      fake.change(id, { status: "queued", error: undefined, retries: job.retries + 1 });
      return own(id, keyId);
    },
    async purge(keyId) {
      const queued = [...jobs.values()].filter((job) => job.keyId === keyId && job.status === "queued");
      for (const { id } of queued) fake.change(id, { status: "cancelled" });
      return queued.length;
    },
    async list(keyId, { offset, limit }) {
      const all = [...jobs.values()].filter((job) => job.keyId === keyId).toReversed();
      return { jobs: all.slice(offset, offset + limit), total: all.length };
    },
    async place(id, keyId) {
      const job = own(id, keyId);
      if (job === undefined) return undefined;
      const numAhead = [...jobs.values()].filter(({ status }) => status === "queued").indexOf(job);
      return job.status === "queued"
        ? { status: job.status, numAhead, waitMs: 1500 }
        : { status: job.status, numAhead: 0 };
    },
    speed: async () => fake.speedOf,
    health: () => health ?? Promise.resolve(healthOf()),
    usage: async () => fake.usageOf,
    deliveries: async () => fake.deliveriesOf,
  };
  return fake;
}

export const healthOf = (): Health => ({
  jobs: { completed: 5, failed: 1, inProgress: 1, inQueue: 2, retried: 0 },
  workers: { idle: 1, initializing: 0, ready: 2, running: 1, throttled: 0, unhealthy: 0 },
});

/** Keys by their text, and ids by the keys. */
export const OPERATOR_KEY = "operator-key-of-the-tests";

export function createFakeKeys(...known: string[]): Pick<Keys, "verify"> {
  return {
    async verify(key) {
      if (!known.includes(key)) return undefined;
      const isOperator = key === OPERATOR_KEY || undefined;
      return { id: `id-of-${key}`, name: key, prefix: key, createdAt: new Date(0), isOperator };
    },
  };
}

/** What operators see where there is nothing. */
export function createFakeOperator(): OperatorDependencies {
  return {
    operations: {
      queues: async () => [],
      workers: async () => [],
      used: async () => new Map(),
      stored: async () => [],
      databaseBytes: async () => 0,
      course: async () => undefined,
    },
    reviews: {
      list: async () => ({ held: [], total: 0 }),
      find: async () => undefined,
      decide: async () => undefined,
      log: async () => [],
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
    disk: async () => undefined,
  };
}

export interface FakeStorage extends Pick<Storage, "get" | "put" | "delete"> {
  objects: Map<string, Uint8Array>;
}

export function createFakeStorage(): FakeStorage {
  const objects = new Map<string, Uint8Array>();
  return {
    objects,
    async put(key, bytes) {
      objects.set(key, bytes);
    },
    async get(key) {
      const bytes = objects.get(key);
      return bytes && { bytes, contentType: contentTypeOf(key) };
    },
    async delete(key) {
      objects.delete(key);
    },
  };
}
