/**
 * What a job is: its states and which may follow which, and the records that the server, the worker and the store
 * exchange. The wire's spellings (IN_QUEUE, delayTime) live in `server/`, the SQL in `store.ts`.
 */
import type { FailureRecord } from "../errors.ts";
import type { EditSpeed } from "../engine/estimate.ts";
import type { ResolvedRequest, Size } from "../engine/request.ts";

/** Each status and those that may follow it. An ended job leaves its status only by a retry. */
const TRANSITIONS = {
  queued: ["running", "cancelled", "timedOut"],
  // Back to queued: its worker was lost, or handed it back when shutting down.
  running: ["queued", "completed", "failed", "cancelled", "timedOut"],
  completed: [],
  failed: ["queued"],
  timedOut: ["queued"],
  cancelled: [],
} as const satisfies Record<string, readonly string[]>;

export type JobStatus = keyof typeof TRANSITIONS;
export const JOB_STATUSES = Object.keys(TRANSITIONS) as readonly JobStatus[];
const ENDED: ReadonlySet<JobStatus> = new Set(["completed", "failed", "timedOut", "cancelled"]);

export const isEnded = (status: JobStatus): boolean => ENDED.has(status);

/** The statuses from which a job may become `next`. */
export function statusesBefore(next: JobStatus): JobStatus[] {
  return JOB_STATUSES.filter((status) => (TRANSITIONS[status] as readonly string[]).includes(next));
}

/**
 * Where a job's picture comes from. A stored one lies in our storage: put there at submission, found by its own URL, or
 * downloaded from a URL, which is done before the job may run.
 */
export type JobImage = { kind: "url"; url: string } | { kind: "stored"; key: string };

/** The bucket of the caller, where the result goes instead of our storage. Secret: never logged, never echoed. */
export interface RequestBucket {
  accessId: string;
  accessSecret: string;
  bucketName: string;
  endpointUrl: string;
  objectPath?: string | undefined;
}

/** What an edit looks at: as many images as the model family takes, and where the first one may change. */
export interface JobImages {
  images: readonly JobImage[];
  /** White where the first image may change; without one, all of it may. */
  mask?: JobImage | undefined;
}

/** Whether any of them is still to be downloaded. */
export const isAwaited = ({ images, mask }: JobImages): boolean =>
  [...images, mask].some((image) => image?.kind === "url");

/** What is to be done, checked and with every default filled in; the seed is chosen at submission. */
export interface JobEdit extends ResolvedRequest, JobImages {
  size: Size;
  isSafetyChecked: boolean;
  /** Whether the result goes out as a data URL instead of an address. */
  isInlineResult: boolean;
  /** Whether progress carries small pictures. */
  isPreviewed: boolean;
  bucket?: RequestBucket | undefined;
}

/** Life of a job in milliseconds: all from submission, its run, and how long it is kept after its end. */
export interface JobPolicy {
  ttlMs: number;
  /** Without it, the worker that runs the job takes one by its own speed. */
  executionTimeoutMs?: number | undefined;
  retentionMs: number;
  isLowPriority: boolean;
}

export interface JobProgress {
  /** 0 to `of`. */
  step: number;
  of: number;
  /** A small picture as it forms, as a data URL. */
  preview?: string | undefined;
}

/** Where the result lies: in our storage, in the caller's bucket (a signed address), or inline. */
export type ResultImage =
  /** `bytes`: of its file; absent in results of versions that did not count them. */
  | { kind: "stored"; key: string; bytes?: number | undefined }
  | { kind: "address"; url: string }
  | { kind: "inline"; dataUrl: string };

export const PRECISIONS = ["float32", "float16", "bfloat16", "int8", "int4"] as const;
export type Precision = (typeof PRECISIONS)[number];

/** What a completed job produced, with all parameters that were in effect. */
export interface JobResult {
  image: ResultImage;
  format: ResolvedRequest["format"];
  size: Size;
  workingSize: Size;
  referenceSize: Size;
  seed: number;
  numSteps: number;
  guidance: number;
  /** Whether the second pass of the negative prompt ran, and how strongly. */
  isNegativeUsed: boolean;
  trueCfgScale: number;
  /** Absent in results of versions that knew none. */
  loras?: ResolvedRequest["loras"] | undefined;
  /** Name of the checkpoint's folder. */
  model: string;
  /** What the weights of the transformer are in memory. */
  precision: Precision;
  /** The safety score, where the check ran. */
  safetyScore?: number | undefined;
  /** Where what was not edited was kept: the share of the picture that was, 0 to 1. */
  changedShare?: number | undefined;
  /** And where: a small grey picture as a data URL, white where the source's own pixels are. */
  unchangedMask?: string | undefined;
  notices: string[];
  /** In the currency of the price, rounded to 6 decimals. */
  cost: number;
}

/** A job as its owner sees it. */
export interface Job {
  id: string;
  keyId: string;
  /** Made by the call that waits: kept for a shorter time. */
  isSync: boolean;
  status: JobStatus;
  submittedAt: Date;
  startedAt?: Date | undefined;
  endedAt?: Date | undefined;
  /** From submission to the start of the present or last run, whole milliseconds. */
  delayMs?: number | undefined;
  /** Of the present or last run, whole milliseconds, up to now while it runs. */
  executionMs?: number | undefined;
  workerId?: string | undefined;
  progress?: JobProgress | undefined;
  result?: JobResult | undefined;
  /** One sentence, with the wire's names. */
  error?: string | undefined;
  /** The same as data, where it failed by an error of the catalogue. */
  failure?: FailureRecord | undefined;
  /** Times that the owner retried it. */
  retries: number;
  /** Origin under which the submitting client reached this server, without a slash at the end. */
  baseUrl: string;
}

/** What the server hands over to make a job. */
export interface NewJob {
  keyId: string;
  isSync: boolean;
  edit: JobEdit;
  /** Images that were stored for this job alone. */
  sources: readonly StoredSource[];
  policy: JobPolicy;
  webhook?: string | undefined;
  baseUrl: string;
  idempotency?: { route: string; key: string; bodyHash: string } | undefined;
}

/** A job in the hands of a worker, for one attempt. */
export interface ClaimedJob {
  id: string;
  /** 1 for the first run; names the attempt in every later call, so that a lost worker cannot touch the next one's. */
  attempt: number;
  edit: JobEdit;
  /** Without it, the worker's own. */
  executionTimeoutMs?: number | undefined;
}

/** An image that is kept for one job. */
export interface StoredSource {
  key: string;
  bytes: number;
}

/** Images that are to be downloaded before their job may run, in the hands of a worker. */
export interface ClaimedSource extends JobImages {
  /** Of the job. */
  id: string;
  /** 1 for the first download; names it in every later call. */
  tries: number;
}

/** Why a job failed. */
export interface JobFailure {
  /** One sentence for whoever sent the job. */
  error: string;
  /** The same as data, which other surfaces word by their own names. */
  failure?: FailureRecord | undefined;
}

/** How an attempt ended. */
export type JobOutcome =
  | { status: "completed"; result: JobResult }
  | ({ status: "failed" } & JobFailure)
  | { status: "timedOut"; error: string };

/** One piece of a stream: progress while the job runs, or the result at its end. */
export type JobChunk = { kind: "progress"; progress: JobProgress } | { kind: "result"; result: JobResult };

export type WorkerStatus = "initializing" | "idle" | "running" | "unhealthy";

export interface WorkerRecord {
  /** 14 lower-case letters and digits, chosen at start. */
  id: string;
  status: WorkerStatus;
  speed?: EditSpeed | undefined;
}
