/** The jobs as a worker sees them, in memory: the rules of `WorkQueue` without a database, and outages on request. */
import type { WorkQueue } from "../../src/jobs/contracts.ts";
import {
  isAwaited,
  type ClaimedJob,
  type ClaimedSource,
  type JobEdit,
  type JobProgress,
  type JobResult,
  type JobStatus,
  type KeptState,
  type WorkerRecord,
} from "../../src/jobs/job.ts";
import { likenessOf } from "../../src/jobs/likeness.ts";

export interface MemoryJob {
  endpoint: string;
  id: string;
  status: JobStatus;
  attempt: number;
  workerId?: string;
  edit: JobEdit;
  executionTimeoutMs: number | undefined;
  sourceTries: number;
  sourceWorker?: string | undefined;
  result?: JobResult;
  state?: KeptState;
  error?: string;
  progress: JobProgress[];
  renewals: number;
  claimedAt?: number;
}

export interface MemoryQueue extends WorkQueue {
  add(edit: JobEdit, options?: { executionTimeoutMs?: number | undefined; endpoint?: string }): MemoryJob;
  /** Ends or takes away a job from outside, as a caller or another worker does. */
  change(job: MemoryJob, change: Partial<MemoryJob>): void;
  /** Every call fails while this is set; with "late", it does its work before. */
  outage: false | "now" | "late";
  readonly reports: WorkerRecord[];
  readonly workers: Map<string, WorkerRecord>;
}

const MAX_ATTEMPTS = 2;

export function createMemoryQueue(): MemoryQueue {
  const jobs: MemoryJob[] = [];
  const onQueued = new Set<() => void>();
  const onSource = new Set<() => void>();
  const onChanged = new Map<string, () => void>();

  async function answer<Result>(work: () => Result): Promise<Result> {
    if (queue.outage === "now") throw new Error("The connection is down.");
    const result = work();
    if (queue.outage === "late") throw new Error("The connection went down.");
    return result;
  }
  const own = (job: ClaimedJob, workerId: string): MemoryJob | undefined =>
    jobs.find(
      ({ id, attempt, workerId: owner, status }) =>
        id === job.id && attempt === job.attempt && owner === workerId && status === "running",
    );
  const changeOwn = (job: ClaimedJob, workerId: string, change: (job: MemoryJob) => void): Promise<boolean> =>
    answer(() => {
      const found = own(job, workerId);
      if (found) change(found);
      return found !== undefined;
    });
  const heldSource = ({ id, tries }: ClaimedSource, workerId: string): MemoryJob | undefined =>
    jobs.find(
      (job) =>
        job.id === id &&
        job.sourceTries === tries &&
        job.sourceWorker === workerId &&
        job.status === "queued",
    );
  const changeHeld = (
    source: ClaimedSource,
    workerId: string,
    change: (job: MemoryJob) => void,
  ): Promise<boolean> =>
    answer(() => {
      const job = heldSource(source, workerId);
      if (job === undefined) return false;
      job.sourceWorker = undefined;
      change(job);
      return true;
    });
  const requeue = (job: MemoryJob): void => {
    job.status = "queued";
    for (const listener of onQueued) listener();
  };

  const isNext = ({ status, edit, ...job }: MemoryJob, endpoint: string): boolean =>
    status === "queued" && !isAwaited(edit) && job.endpoint === endpoint;

  const likeNext = ({ endpoint, edit, attempt }: ClaimedJob): MemoryJob | undefined => {
    const next = jobs.find((job) => isNext(job, endpoint));
    const isLike = next?.attempt === 0 && attempt === 1 && likenessOf(next.edit) === likenessOf(edit);
    return isLike && likenessOf(edit) !== undefined ? next : undefined;
  };

  const queue: MemoryQueue = {
    outage: false,
    reports: [],
    workers: new Map(),
    add(edit, options = { executionTimeoutMs: 60_000 }) {
      const { executionTimeoutMs, endpoint = "" } = options;
      const job: MemoryJob = {
        endpoint,
        id: `job-${jobs.length}`,
        status: "queued",
        attempt: 0,
        edit,
        executionTimeoutMs,
        sourceTries: 0,
        progress: [],
        renewals: 0,
      };
      jobs.push(job);
      for (const listener of isAwaited(edit) ? onSource : onQueued) listener();
      return job;
    },
    change(job, change) {
      Object.assign(job, change);
      onChanged.get(job.id)?.();
    },
    report: (worker) =>
      answer(() => {
        queue.reports.push(worker);
        queue.workers.set(worker.id, worker);
      }),
    leave: (workerId) => answer(() => void queue.workers.delete(workerId)),
    nextEndpoint: (endpoints) =>
      answer(() => endpoints.find((endpoint) => jobs.some((job) => isNext(job, endpoint)))),
    isLikeNext: (job) => answer(() => likeNext(job) !== undefined),
    async claimLike(job, { workerId }) {
      return (await queue.isLikeNext(job, { workerId, leastLimitMs: 0 }))
        ? queue.claim(workerId, job.endpoint)
        : undefined;
    },
    claim: (workerId, endpoint = "") =>
      answer(() => {
        const job = jobs.find((one) => isNext(one, endpoint));
        if (job === undefined) return undefined;
        job.attempt += 1;
        Object.assign(job, { status: "running", workerId, claimedAt: performance.now() });
        const { id, attempt, edit, executionTimeoutMs, state } = job;
        const keyId = "key";
        return { id, endpoint, keyId, attempt, edit, executionTimeoutMs, ...(state && { state }) };
      }),
    onQueued(listener) {
      onQueued.add(listener);
      return () => onQueued.delete(listener);
    },
    onChanged(jobId, listener) {
      onChanged.set(jobId, listener);
      return () => onChanged.delete(jobId);
    },
    claimSource: (workerId, { maxOfKey }) =>
      answer(() => {
        const held = jobs.filter((job) => job.status === "queued" && job.sourceWorker === workerId);
        const job = jobs.find(
          ({ status, edit, sourceWorker }) =>
            status === "queued" && isAwaited(edit) && sourceWorker === undefined,
        );
        if (job === undefined || held.length >= maxOfKey) return undefined;
        job.sourceTries += 1;
        job.sourceWorker = workerId;
        const { images, mask } = job.edit;
        return { id: job.id, tries: job.sourceTries, images, mask };
      }),
    onSource(listener) {
      onSource.add(listener);
      return () => onSource.delete(listener);
    },
    holdsSource: (source, workerId) => answer(() => heldSource(source, workerId) !== undefined),
    keepSource: (source, workerId, { images, mask }) =>
      changeHeld(source, workerId, (job) => {
        job.edit = { ...job.edit, images, mask };
        for (const listener of onQueued) listener();
      }),
    failSource: (source, workerId, { error, failure }) =>
      changeHeld(source, workerId, (job) => Object.assign(job, { status: "failed", error, failure })),
    releaseSource: (source, workerId, { isTried }) =>
      changeHeld(source, workerId, (job) => {
        if (!isTried) job.sourceTries -= 1;
        for (const listener of onSource) listener();
      }),
    renew: (job, workerId) => changeOwn(job, workerId, (found) => (found.renewals += 1)),
    progress: (job, workerId, progress) => changeOwn(job, workerId, (found) => found.progress.push(progress)),
    keepState: (job, workerId, state) => changeOwn(job, workerId, (found) => (found.state = state)),
    finish: (job, workerId, outcome) => changeOwn(job, workerId, (found) => Object.assign(found, outcome)),
    fail: (job, workerId, error) =>
      changeOwn(job, workerId, (found) => {
        if (found.attempt < MAX_ATTEMPTS) requeue(found);
        else Object.assign(found, { status: "failed", error });
      }),
    handBack: (job, workerId) =>
      changeOwn(job, workerId, (found) => {
        found.attempt -= 1;
        requeue(found);
      }),
  };
  return queue;
}
