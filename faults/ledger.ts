/** What the clients know: what was acknowledged to them, and what may have come of calls without an answer. */
import type { ReceiverKind } from "./receivers.ts";

export type Route = "run" | "runsync";
export type EndStatus = "COMPLETED" | "FAILED" | "CANCELLED" | "TIMED_OUT";

/** A submission as a client may repeat it. */
export interface Submission {
  key: string;
  route: Route;
  body: string;
  /** Its Idempotency-Key. */
  idempotencyKey?: string | undefined;
  webhook?: ReceiverKind | undefined;
  isInline: boolean;
  /** How it has to end unless it is cancelled. */
  wanted: "COMPLETED" | "FAILED";
}

export interface AcknowledgedJob extends Submission {
  id: string;
  /** Calls of /cancel and /retry: those whose answer said so, and those that may have had an effect. */
  isCancelled: boolean;
  maybeCancelled: boolean;
  retries: number;
  maybeRetries: number;
  /** The first end that a client saw since its last retry. */
  end?: { status: EndStatus; image?: string | undefined } | undefined;
  /** Bytes of the result that a client fetched at the end. */
  bytes?: number | undefined;
}

export interface Problem {
  /** What is wrong, in a word or two: problems are counted by it. */
  what: string;
  detail: string;
}

export interface Ledger {
  jobs: Map<string, AcknowledgedJob>;
  /** Submissions whose outcome nobody knows, and that nobody can ask for: without an Idempotency-Key, by API key. */
  undecided: Map<string, number>;
  /** Those with one: they are repeated until they are answered. */
  unanswered: Set<Submission>;
  /** The job of each Idempotency-Key. */
  idempotent: Map<string, { submission: Submission; id: string }>;
  /** Answers by status; `none` for calls that broke or took too long. */
  answers: Map<string, number>;
  problems: Problem[];
}

export const createLedger = (): Ledger => ({
  jobs: new Map(),
  undecided: new Map(),
  unanswered: new Set(),
  idempotent: new Map(),
  answers: new Map(),
  problems: [],
});

export const isEnd = (status: unknown): status is EndStatus =>
  status === "COMPLETED" || status === "FAILED" || status === "CANCELLED" || status === "TIMED_OUT";

export function addProblem(ledger: Ledger, what: string, detail: string): void {
  ledger.problems.push({ what, detail: detail.slice(0, 500) });
}

/** Notes that a call was answered with a job. */
export function acknowledge(ledger: Ledger, submission: Submission, id: string): AcknowledgedJob {
  ledger.unanswered.delete(submission);
  const { idempotencyKey } = submission;
  const known = idempotencyKey === undefined ? undefined : ledger.idempotent.get(idempotencyKey);
  if (known && known.id !== id) {
    addProblem(ledger, "two jobs of one Idempotency-Key", `${known.id} and ${id}`);
  }
  if (idempotencyKey !== undefined && !known) ledger.idempotent.set(idempotencyKey, { submission, id });
  let job = ledger.jobs.get(id);
  if (job === undefined) {
    job = { ...submission, id, isCancelled: false, maybeCancelled: false, retries: 0, maybeRetries: 0 };
    ledger.jobs.set(id, job);
  }
  return job;
}

/** Notes a job's state as a client was told it: an end is final unless the job was retried. */
export function seeState(
  ledger: Ledger,
  job: AcknowledgedJob,
  { status, output }: { status?: unknown; output?: { image_url?: string } | undefined },
): void {
  const image = output?.image_url;
  if (job.end && !job.maybeRetries && !job.retries) {
    if (status !== job.end.status) {
      addProblem(ledger, "an end that changed", `${job.id}: ${job.end.status}, then ${String(status)}`);
    } else if (nameOf(image) !== nameOf(job.end.image)) {
      addProblem(ledger, "a result that changed", `${job.id}: ${job.end.image}, then ${image}`);
    }
  }
  if (isEnd(status)) job.end = { status, image };
}

/** Without the signature, which counts from another moment in another program. */
const nameOf = (image: string | undefined): string | undefined =>
  image?.startsWith("http") ? new URL(image).pathname : image?.slice(0, 64);
