/** What of a failed edit its sender may read, and what only the operator's log may. */
import { type ErrorCode, RetouchError } from "../errors.ts";
import type { Failure } from "./protocol.ts";

const UNEXPECTED = "The edit failed unexpectedly.";
const MAX_DETAIL_CHARACTERS = 4000;

/** Failures that the sender caused or can act on: their sentences name a field, and nothing of this machine. */
const SAYABLE: ReadonlySet<ErrorCode> = new Set([
  "INVALID_PARAMETER",
  "IMAGE_UNREADABLE",
  "IMAGE_INVALID",
  "IMAGE_UNSUPPORTED",
  "IMAGE_TOO_LARGE",
  "MEMORY_INSUFFICIENT",
  "OUTPUT_FLAGGED",
  "STORAGE_UNAVAILABLE",
] satisfies ErrorCode[]);

/** Turns whatever ended an edit into the job's sentence. */
export function failureOf(error: unknown): Failure {
  if (!(error instanceof RetouchError) || !SAYABLE.has(error.code)) {
    return { error: UNEXPECTED, detail: traceOf(error) };
  }
  // Storage fails by the operator's doing as often as by the sender's, and memory is the operator's to add.
  const isOperators = error.code === "STORAGE_UNAVAILABLE" || error.code === "MEMORY_INSUFFICIENT";
  return { error: error.message, ...(isOperators && { detail: traceOf(error) }) };
}

/** Stacks only: other fields of an error may hold the request that failed, with its secrets. */
function traceOf(error: unknown): string {
  const stacks: string[] = [];
  for (let next = error; next !== undefined && stacks.length < 5;) {
    stacks.push(next instanceof Error ? (next.stack ?? next.message) : String(next));
    next = next instanceof Error ? next.cause : undefined;
  }
  return stacks.join("\ncaused by ").slice(0, MAX_DETAIL_CHARACTERS);
}
