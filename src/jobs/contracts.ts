/** What other parts of the service need from the jobs: the server for a caller, the worker for its engine. */
import type { EditSpeed } from "../engine/estimate.ts";
import type { Chain } from "./original.ts";
import type {
  ClaimedJob,
  ClaimedSource,
  Job,
  JobChunk,
  JobFailure,
  JobImages,
  JobOutcome,
  JobProgress,
  JobStatus,
  KeptState,
  NewJob,
  StoredSource,
  WorkerRecord,
} from "./job.ts";

/** A wait that `signal` ends early returns what there is. */
export interface WaitOptions {
  waitMs: number;
  signal?: AbortSignal | undefined;
}

/** Chunks taken out of the stream; `giveBack` puts them back if they could not be delivered. */
export interface TakenChunks {
  job: Job;
  chunks: JobChunk[];
  giveBack(): Promise<void>;
}

/** Chunks that were read and left for whoever takes them. */
export interface ReadChunks {
  job: Job;
  chunks: JobChunk[];
  /** Of the last chunk: the next call reads on after it. */
  position: number;
}

export interface Health {
  jobs: Record<"completed" | "failed" | "inProgress" | "inQueue" | "retried", number>;
  workers: Record<"idle" | "initializing" | "ready" | "running" | "throttled" | "unhealthy", number>;
}

/** Usage of one API key on one day, UTC. */
export interface UsageDay {
  /** YYYY-MM-DD. */
  date: string;
  completed: number;
  failed: number;
  cost: number;
}

export interface QueuePlace {
  status: JobStatus;
  /** Waiting jobs of any key that run before this one; 0 for a job that does not wait. */
  numAhead: number;
  /** Until it starts, milliseconds; unknown until a worker has measured itself. */
  waitMs?: number | undefined;
}

export interface WebhookDelivery {
  jobId: string;
  /** Without its query, which may hold secrets. */
  url: string;
  status: "pending" | "delivered" | "failed";
  attempts: number;
  createdAt: Date;
  lastAttemptAt?: Date | undefined;
  /** HTTP status of the last response. */
  lastStatus?: number | undefined;
  lastError?: string | undefined;
}

/**
 * The jobs of one endpoint, seen by the owner of an API key: another key's jobs do not exist for it.
 * Methods return `undefined` for a job that is unknown, of another key, or expired.
 */
export interface Jobs {
  /**
   * Stores a job durably and queues it.
   * @returns the job; the first call's job if the idempotency key was used before with the same body
   * @throws RetouchError QUEUE_FULL, IDEMPOTENCY_CONFLICT, ESTIMATE_TOO_LONG
   */
  submit(job: NewJob): Promise<{ job: Job; isRepeat: boolean }>;
  /** Returns the job that an idempotency key already stands for. @throws RetouchError IDEMPOTENCY_CONFLICT */
  findRepeated(keyId: string, idempotency: NewJob["idempotency"]): Promise<Job | undefined>;
  /** Counts bytes about to be stored for a key. @throws RetouchError QUOTA_EXCEEDED if they are too many */
  admitBytes(keyId: string, bytes: number): Promise<void>;
  find(id: string, keyId: string): Promise<Job | undefined>;
  /** The edits that led to a job, itself included. @returns undefined if this key has no such job */
  chainOf(id: string, keyId: string): Promise<Chain | undefined>;
  /**
   * The edits that led to a result, and which result of the latest one it is.
   * @param name its key in our storage, or the SHA-256 of its bytes in hex
   */
  chainOfResult(name: string, keyId: string): Promise<{ chain: Chain; place: number } | undefined>;
  /**
   * Waits until the job has ended or the time is up; also returns a job that expires during the wait.
   * @param options.submitted the job, where this call has made it: while the database is away, the wait goes on,
   *   and at its end the caller learns at least of the job
   */
  waitForEnd(
    id: string,
    keyId: string,
    options: WaitOptions & { submitted?: Job | undefined },
  ): Promise<Job | undefined>;
  /** Takes the chunks that nobody has taken yet, waiting while there are none and the job goes on. */
  takeChunks(id: string, keyId: string, options: WaitOptions): Promise<TakenChunks | undefined>;
  /**
   * Reads the chunks after a position, 0 for all, and leaves them; waits while there are none and the job goes on.
   * @param options.submitted as in {@link Jobs.waitForEnd}
   */
  readChunks(
    id: string,
    keyId: string,
    options: WaitOptions & { after: number; submitted: Job },
  ): Promise<ReadChunks | undefined>;
  /**
   * Keeps an ended job for at most `ttlMs` from now. Never extends its life, and leaves a job that has not
   * ended alone.
   */
  shortenRetention(id: string, keyId: string, ttlMs: number): Promise<Job | undefined>;
  /** Cancels a job that has not ended; an ended job stays as it is. */
  cancel(id: string, keyId: string): Promise<Job | undefined>;
  /** Queues a failed or timed-out job again. @throws RetouchError NOT_RETRYABLE for any other state, QUEUE_FULL */
  retry(id: string, keyId: string): Promise<Job | undefined>;
  /** Cancels every queued job of this key. @returns how many */
  purge(keyId: string): Promise<number>;
  /** Newest first. */
  list(keyId: string, page: { offset: number; limit: number }): Promise<{ jobs: Job[]; total: number }>;
  /** Where a job stands among the waiting jobs of its endpoint. */
  place(id: string, keyId: string): Promise<QueuePlace | undefined>;
  /** Of the endpoint's fastest worker. @returns undefined until one has measured itself */
  speed(): Promise<EditSpeed | undefined>;
  /** Health of the whole endpoint. */
  health(): Promise<Health>;
  /** Days with any usage, `from` and `to` included (YYYY-MM-DD, UTC). */
  usage(keyId: string, range: { from: string; to: string }): Promise<UsageDay[]>;
  /** Newest first. */
  deliveries(keyId: string, page: { offset: number; limit: number }): Promise<WebhookDelivery[]>;
}

/** How a worker looks for jobs that can run together. */
export interface LikeOptions {
  workerId: string;
  /** A job with a shorter time limit of its own runs alone. */
  leastLimitMs: number;
}

/**
 * What a worker needs from the jobs. Every call names job and attempt, and returns `false` once they are no
 * longer this worker's.
 */
export interface WorkQueue {
  /** Announces this worker or its new status; also reports that it is alive, due at every lease renewal. */
  report(worker: WorkerRecord): Promise<void>;
  /** Takes this worker off the list. */
  leave(workerId: string): Promise<void>;
  /** The first of these endpoints that has jobs waiting; one with jobs of normal priority before one without. */
  nextEndpoint(endpoints: readonly string[]): Promise<string | undefined>;
  /**
   * Takes the next job of an endpoint, if there is one, and starts its lease.
   * @param endpoint as the database has it @default the default one
   */
  claim(workerId: string, endpoint?: string): Promise<ClaimedJob | undefined>;
  /**
   * Whether the next job of the same endpoint could run together with `job`, which this worker has taken, and no other
   * worker is idle. Jobs are only ever taken in their order, so none passes another.
   */
  isLikeNext(job: ClaimedJob, options: LikeOptions): Promise<boolean>;
  /** Takes that job, unless another has become the next one. */
  claimLike(job: ClaimedJob, options: LikeOptions): Promise<ClaimedJob | undefined>;
  /** Calls back whenever a job may be waiting. @returns a function that ends it */
  onQueued(listener: () => void): () => void;
  /** Takes the next job with images to download, unless this worker already has `maxOfKey` of its key. */
  claimSource(workerId: string, options: { maxOfKey: number }): Promise<ClaimedSource | undefined>;
  /** Calls back whenever an image may need downloading. @returns a function that ends it */
  onSource(listener: () => void): () => void;
  /** Whether the download still belongs to this worker. */
  holdsSource(source: ClaimedSource, workerId: string): Promise<boolean>;
  /**
   * Queues the job for a worker, now that its images are in the storage. If the quota of its key has no room for them, the
   * job ends as failed instead.
   * @param sources the images that were stored for it
   * @returns false if nobody needs them
   */
  keepSource(
    source: ClaimedSource,
    workerId: string,
    kept: JobImages & { sources: readonly StoredSource[] },
  ): Promise<boolean>;
  /** Ends the job as failed. */
  failSource(source: ClaimedSource, workerId: string, reason: JobFailure): Promise<boolean>;
  /**
   * Gives the download back.
   * @param options.isTried false if it shall not count as one of its tries
   */
  releaseSource(source: ClaimedSource, workerId: string, options: { isTried: boolean }): Promise<boolean>;
  /**
   * Calls back when a job's state is changed from outside, such as by a cancellation.
   * @returns a function that ends it
   */
  onChanged(jobId: string, listener: () => void): () => void;
  /** Renews the lease. */
  renew(job: ClaimedJob, workerId: string): Promise<boolean>;
  /** Publishes progress. Never changes a job that has ended. */
  progress(job: ClaimedJob, workerId: string, progress: JobProgress): Promise<boolean>;
  /** Notes the state from which a later attempt can go on, instead of an earlier one. */
  keepState(job: ClaimedJob, workerId: string, state: KeptState): Promise<boolean>;
  /** Ends the attempt: state, result, cost, webhook and stream in one transaction. */
  finish(job: ClaimedJob, workerId: string, outcome: JobOutcome): Promise<boolean>;
  /**
   * Ends a crashed attempt: the job is queued again while attempts are left, else fails with `error`. One that got
   * further than those before it, as its state shows, costs no attempt.
   */
  fail(job: ClaimedJob, workerId: string, error: string): Promise<boolean>;
  /** Gives the job back untouched, to its place in the queue: costs no attempt. */
  handBack(job: ClaimedJob, workerId: string): Promise<boolean>;
}
