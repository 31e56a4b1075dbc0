/** Decides what the sender of a failed edit may read, and what only the operator's log may hold. */
import { type ErrorCode, type Failure as Reason, failure, RetouchError } from "../errors.ts";
import { jobFailureOf } from "../jobs/job-failure.ts";
import { FlaggedResult } from "./flagged.ts";
import type { EngineAnswer, Failure } from "./protocol.ts";

const UNEXPECTED = "The edit failed unexpectedly.";
const MAX_DETAIL_CHARACTERS = 4000;

/** Failures that the sender caused or can act on: their sentences name a field, and nothing of this machine. */
const OF_SENDER: ReadonlySet<ErrorCode> = new Set([
  "INVALID_PARAMETER",
  "IMAGE_UNREADABLE",
  "IMAGE_INVALID",
  "IMAGE_UNSUPPORTED",
  "IMAGE_TOO_LARGE",
  "OUTPUT_FLAGGED",
  "QUOTA_EXCEEDED",
] satisfies ErrorCode[]);

/** Other failures that the sender may read, in words that hide what the operator's own sentences name. */
function publicFailure(error: RetouchError): RetouchError | undefined {
  if (OF_SENDER.has(error.code)) return error;
  const name = error.values["lora"] ?? "";
  switch (error.code) {
    // The caller can act on it, and the operator needs the cause.
    case "MEMORY_INSUFFICIENT":
    case "BUCKET_UNAVAILABLE":
      return error;
    // Their own sentences have a path.
    case "LORA_INVALID":
      return new RetouchError(error.code, failure("loraInvalid", { field: "loras", name }));
    case "LORA_UNSUPPORTED":
      return new RetouchError(error.code, failure("loraUnsupported", { field: "loras", name }));
    default:
      return undefined;
  }
}

/** Turns whatever ended an edit into what its sender and the operator read. */
export function failureOf(error: unknown): Failure {
  const shown = error instanceof RetouchError ? publicFailure(error) : undefined;
  if (shown === undefined) return { error: UNEXPECTED, detail: traceOf(error) };
  if (OF_SENDER.has(shown.code)) return jobFailureOf(shown);
  return { ...jobFailureOf(shown), detail: traceOf(error) };
}

/** Ends an attempt and not its job: another attempt, perhaps of another worker, may do better. */
export class AttemptFailure extends Error {}

/** What the worker hears of work that ended with an error. */
export function endOf(id: string, error: unknown, signal: AbortSignal): EngineAnswer {
  if (signal.aborted) return { kind: "cancelled", id };
  // Buckets of callers have a code of their own: this is our storage.
  if (error instanceof RetouchError && error.code === "STORAGE_UNAVAILABLE")
    return { kind: "storageAway", id, detail: traceOf(error) };
  if (error instanceof AttemptFailure)
    return { kind: "attemptFailed", id, error: error.message, detail: traceOf(error) };
  const safety = error instanceof FlaggedResult ? error.safety : undefined;
  return { kind: "failed", id, ...failureOf(error), ...(safety && { safety }) };
}

/** Stacks only: other fields of an error may hold the request that failed, with its secrets. */
export function traceOf(error: unknown): string {
  const stacks: string[] = [];
  for (let next = error; next !== undefined && stacks.length < 5;) {
    stacks.push(next instanceof Error ? (next.stack ?? next.message) : String(next));
    next = next instanceof Error ? next.cause : undefined;
  }
  return stacks.join("\ncaused by ").slice(0, MAX_DETAIL_CHARACTERS);
}

/** Where our own storage lies and what is wrong with it stays in the cause, for the operator only. */
export async function ownStorage<Result>(
  what: string | Reason,
  work: () => Promise<Result>,
): Promise<Result> {
  try {
    return await work();
  } catch (cause) {
    throw new RetouchError("STORAGE_UNAVAILABLE", what, { cause });
  }
}

export function throwIfAborted(signal: AbortSignal): void {
  if (signal.aborted) throw aborted(signal);
}

export const aborted = ({ reason: cause }: AbortSignal): RetouchError =>
  new RetouchError("ABORTED", "The job was cancelled.", { cause });
