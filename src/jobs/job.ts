/**
 * What a job is: its states, which state may follow which, and the records that the server, the worker and
 * the store exchange. The wire's names (IN_QUEUE, delayTime) live in `server/`, the SQL beside this file.
 */
import type { FailureRecord } from "../errors.ts";
import type { AccelerationReport } from "../engine/acceleration.ts";
import type { EditTokens } from "../engine/model.ts";
import type { ResolvedRequest, Size } from "../engine/request.ts";
import type { Shares } from "../preserve/render.ts";
import type { JobCall } from "./call.ts";
import type { Receipt } from "../receipts/receipt.ts";
import type { SafetyRecord } from "./safety-record.ts";

export type { ServedEndpoint, WorkerFault, WorkerRecord, WorkerStatus } from "./worker-record.ts";

/** Each status and those that may follow it. Only a retry changes the status of an ended job. */
const TRANSITIONS = {
  queued: ["running", "cancelled", "timedOut"],
  // Back to queued: its worker was lost, or handed it back at shutdown.
  running: ["queued", "held", "completed", "failed", "cancelled", "timedOut"],
  // Waits for an operator; its time to live does not end it, only a time limit of its own.
  // Queued again for the way into the caller's bucket.
  held: ["queued", "completed", "failed", "cancelled"],
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
 * Where a job's image comes from. A stored one lies in our storage: put there at submission, found by its own
 * URL, or downloaded from a URL before the job may run.
 */
export type JobImage =
  | { kind: "url"; url: string }
  /**
   * `size` is what its header says, in pixels; absent if that was not read. `sha256` of its bytes, in hex, tells the
   * first image; absent in jobs of earlier versions, and of a result that was named by its address.
   */
  | { kind: "stored"; key: string; size?: Size | undefined; sha256?: string | undefined };

/** The bucket of the caller, where the result goes instead of our storage. Secret: never logged, never echoed. */
export interface RequestBucket {
  accessId: string;
  accessSecret: string;
  bucketName: string;
  endpointUrl: string;
  objectPath?: string | undefined;
}

/** The inputs of an edit: as many images as the model family takes, and where the first one may change. */
export interface JobImages {
  images: readonly JobImage[];
  /** White where the first image may change; without a mask, all of it may. */
  mask?: JobImage | undefined;
}

/** Which edit another one continues: its picture is one of that edit's results. */
export interface JobLineage {
  /** The id of that edit's job. */
  parent: string;
  /** Which of its results, from 0. */
  parentImage: number;
  /** How many instructions there have been since the original, this one included: 2 or more. */
  turn: number;
  /** Whether it is made from the original, with the instructions of all turns, instead of from the parent's result. */
  isFromOriginal?: boolean | undefined;
  /** Whether that was possible when it was submitted, where it is not made so. */
  hasOriginal?: boolean | undefined;
}

/** Whether any of them still has to be downloaded. */
export const isAwaited = ({ images, mask }: JobImages): boolean =>
  [...images, mask].some((image) => image?.kind === "url");

/** The edit to make, checked and with every default filled in; the seed is chosen at submission. */
export interface JobEdit extends ResolvedRequest, JobImages {
  isSafetyChecked: boolean;
  /** Whether the result is returned as a data URL instead of a link. */
  isInlineResult: boolean;
  /** Whether progress carries small previews. */
  isPreviewed: boolean;
  /** How many previews of each result there are instead of as many as cost nothing, evenly over its steps; 0 to 3. */
  numPartials?: number | undefined;
  bucket?: RequestBucket | undefined;
  /** What the caller should know of the request itself, as sentences. */
  requestNotices?: readonly string[] | undefined;
  /** Absent if its picture is not known as a result of this key, and in jobs of earlier versions. */
  lineage?: JobLineage | undefined;
}

/** Time limits of a job, milliseconds: in total from submission, of its run, and kept after its end. */
export interface JobPolicy {
  ttlMs: number;
  /** Without it, the worker that runs the job derives one from its own speed. */
  executionTimeoutMs?: number | undefined;
  retentionMs: number;
  isLowPriority: boolean;
}

export interface JobProgress {
  /** 0 to `of`, over all results. */
  step: number;
  of: number;
  /** A small preview of the forming image, as a data URL. */
  preview?: string | undefined;
  /** Whether the preview is one of a number that was asked for: it is not left out for newer progress. @default false */
  isPartial?: boolean | undefined;
}

/**
 * Where the result lies: in our storage or in the caller's bucket (a signed URL). `sha256` of its bytes, in hex, tells it
 * when it comes back as the picture of another edit; absent in results of earlier versions.
 */
export type ResultImage =
  /** `bytes` is the size of its file; absent in results of versions that did not count it. */
  | { kind: "stored"; key: string; bytes?: number | undefined; sha256?: string | undefined }
  | { kind: "address"; url: string; sha256?: string | undefined }
  /** In our storage for as long as its job: it has no address, and is shown as a data URL. */
  | { kind: "embedded"; key: string; bytes: number; sha256?: string | undefined }
  /** Read for being shown; rows of earlier versions hold results like this. */
  | { kind: "inline"; dataUrl: string };

export const PRECISIONS = ["float32", "float16", "bfloat16", "int8", "int4"] as const;
export type Precision = (typeof PRECISIONS)[number];

/** One of several results. */
export interface JobResultImage {
  image: ResultImage;
  seed: number;
  /** Absent in results of earlier versions. */
  receipt?: Receipt | undefined;
  /** As in {@link JobResult}. */
  safetyScore?: number | undefined;
  changedShare?: number | undefined;
  unchangedMask?: string | undefined;
  preserveShares?: Shares | undefined;
  mask?: ResultImage | undefined;
}

/** What a completed job produced, with all parameters that were in effect. */
export interface JobResult {
  /** The first one, if there are several. */
  image: ResultImage;
  /** Of that image; absent in results of earlier versions. */
  receipt?: Receipt | undefined;
  /** All of them, if there are several, in the order of their seeds. */
  images?: readonly JobResultImage[] | undefined;
  format: ResolvedRequest["format"];
  /** Whether the source's transparency was kept; absent in results of versions that kept none. */
  hasTransparency?: boolean | undefined;
  size: Size;
  workingSize: Size;
  /** Absent if there was no image. */
  referenceSize?: Size | undefined;
  seed: number;
  numSteps: number;
  /** Absent if it was euler. */
  sampler?: ResolvedRequest["sampler"];
  guidance: number;
  /** What was reused of the steps; absent without acceleration, and in results of versions that knew none. */
  acceleration?: AccelerationReport | undefined;
  /** Whether the second pass of the negative prompt ran, and how strongly. */
  isNegativeUsed: boolean;
  trueCfgScale: number;
  /** Absent in results of versions without LoRAs. */
  loras?: ResolvedRequest["loras"] | undefined;
  /** Name of the checkpoint's folder. */
  model: string;
  /** Precision of the transformer's weights in memory. */
  precision: Precision;
  /** The safety score, if the check ran; of several results the highest. */
  safetyScore?: number | undefined;
  /** If unedited areas were kept: the share of the image that was edited, 0 to 1. */
  changedShare?: number | undefined;
  /** Where they were kept: a small grey image as a data URL, white where the source's own pixels are. */
  unchangedMask?: string | undefined;
  /** How much of the area was copied, carried over and drawn. */
  preserveShares?: Shares | undefined;
  /** A map of that, if it was wanted; it lies in our storage. */
  mask?: ResultImage | undefined;
  /** What the network read and drew; absent in results of versions that did not count it. */
  tokens?: EditTokens | undefined;
  /** Of its edit. */
  lineage?: JobLineage | undefined;
  notices: string[];
  /** Of all results, in the currency of the price, rounded to 6 decimals. */
  cost: number;
}

/** Where each of a job's results lies. */
export const resultImagesOf = ({ image, images }: JobResult): readonly ResultImage[] =>
  images?.map((one) => one.image) ?? [image];

/** What a result is known by when it comes back as a picture: its key in our storage, and the digest of its bytes. */
export function namesOf(result: JobResult): string[] {
  const images = resultImagesOf(result);
  const keys = images.flatMap((image) => ("key" in image ? image.key : []));
  const digests = images.flatMap((image) => ("sha256" in image ? (image.sha256 ?? []) : []));
  return [...keys, ...digests];
}

/** What each of a job's results cost. */
export const costOfOne = ({ cost, images }: JobResult): number =>
  Number((cost / (images?.length ?? 1)).toFixed(6));

/** Every file of a result: its images, and the maps of them. */
export function filesOf(result: JobResult): ResultImage[] {
  const maps = [result.mask, ...(result.images ?? []).slice(1).map(({ mask }) => mask)];
  return [...resultImagesOf(result), ...maps.flatMap((map) => map ?? [])];
}

/** A job as its owner sees it. */
export interface Job {
  id: string;
  keyId: string;
  /** Submitted by a call that waits for it: kept for a shorter time. */
  isSync: boolean;
  status: JobStatus;
  submittedAt: Date;
  startedAt?: Date | undefined;
  endedAt?: Date | undefined;
  /** From submission to the start of the current or last run, whole milliseconds. */
  delayMs?: number | undefined;
  /** Duration of the current or last run, whole milliseconds, up to now while it runs. */
  executionMs?: number | undefined;
  workerId?: string | undefined;
  progress?: JobProgress | undefined;
  result?: JobResult | undefined;
  /** One sentence, with the wire's names. */
  error?: string | undefined;
  /** The same as data, if it failed with an error of the catalogue. */
  failure?: FailureRecord | undefined;
  /** How often the owner retried it. */
  retries: number;
  /** Origin under which the submitting client reached this server, without a trailing slash. */
  baseUrl: string;
  /** Absent where it was submitted in the server's own API, or in OpenAI's. */
  call?: JobCall | undefined;
}

/** What the server passes on to create a job. */
export interface NewJob {
  keyId: string;
  isSync: boolean;
  edit: JobEdit;
  /** Images stored for this job alone. */
  sources: readonly StoredSource[];
  policy: JobPolicy;
  webhook?: string | undefined;
  baseUrl: string;
  call?: JobCall | undefined;
  idempotency?: { route: string; key: string; bodyHash: string } | undefined;
}

/** A job that a worker has claimed, for one attempt. */
export interface ClaimedJob {
  id: string;
  /** As the database has it: `endpoints.ts`. */
  endpoint: string;
  /** Of the API key that submitted it: encodings are kept apart by it. */
  keyId: string;
  /**
   * 1 for the first run; names the attempt in every later call, so that a lost worker cannot touch its
   * successor's attempt.
   */
  attempt: number;
  edit: JobEdit;
  /** Without it, the worker's own limit applies. */
  executionTimeoutMs?: number | undefined;
  /** What an earlier attempt left, to go on from. */
  state?: KeptState | undefined;
  /** What its key may still store; absent where its results cannot be large. */
  room?: KeyRoom | undefined;
  /** Score from which its results are flagged; absent where its key has none of its own. */
  safetyThreshold?: number | undefined;
  /** Its result, which was held and is approved: only its way into the caller's bucket is left. */
  approved?: JobResult | undefined;
}

/** What an API key may still store. */
export interface KeyRoom {
  bytes: number;
  /** What to say where that is too little, as a sentence. */
  fullText: string;
}

/** The state of an edit after a step, in the storage; of several results, with those that were finished. */
export interface KeptState {
  key: string;
  /** 1 to the number of steps of all results. */
  step: number;
  bytes: number;
}

/** An image stored for one job. */
export interface StoredSource {
  key: string;
  bytes: number;
}

/** An image that was downloaded and stored for one job. */
export interface FetchedSource extends StoredSource {
  /** What its header says, if that was read. */
  size?: Size | undefined;
  /** Of its bytes, in hex; absent if an engine process of an earlier version downloaded it. */
  sha256?: string | undefined;
}

/** Images that must be downloaded before their job may run, claimed by a worker. */
export interface ClaimedSource extends JobImages {
  /** Of the job. */
  id: string;
  /** 1 for the first download; names it in every later call. */
  tries: number;
}

/** Why a job failed. */
export interface JobFailure {
  /** One sentence for the sender of the job. */
  error: string;
  /** The same as data, which other surfaces express in their own names. */
  failure?: FailureRecord | undefined;
  /** Where it is the safety checker that refused the results. */
  safety?: SafetyRecord | undefined;
}

/** How an attempt ended. */
export type JobOutcome =
  /** Without `safety`, nothing was checked. */
  | { status: "completed"; result: JobResult; safety?: SafetyRecord | undefined }
  /** A result was flagged, and an operator decides. */
  | { status: "held"; result: JobResult; safety: SafetyRecord }
  | ({ status: "failed" } & JobFailure)
  | { status: "timedOut"; error: string };

/** One chunk of a stream: progress while the job runs, or the result at its end. */
export type JobChunk = { kind: "progress"; progress: JobProgress } | { kind: "result"; result: JobResult };
