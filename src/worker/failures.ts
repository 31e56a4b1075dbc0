/** What of a failed edit its sender may read, and what only the operator's log may. */
import { type ErrorCode, RetouchError } from "../errors.ts";
import type { Failure } from "./protocol.ts";

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
] satisfies ErrorCode[]);

/** What the sender may read of others. Storage fails by either's doing; memory and files are the operator's. */
const SENTENCES: Partial<Record<ErrorCode, (error: RetouchError) => string>> = {
  MEMORY_INSUFFICIENT: ({ message }) => message,
  STORAGE_UNAVAILABLE: ({ message }) => message,
  // Their own have a path.
  LORA_INVALID: ({ subject }) =>
    `loras: the file of the LoRA ${subject} is missing or damaged, or does not fit the network.`,
  LORA_UNSUPPORTED: ({ subject }) =>
    `loras: the file of the LoRA ${subject} is of a kind that cannot be used.`,
};

/** Turns whatever ended an edit into the job's sentence. */
export function failureOf(error: unknown): Failure {
  if (!(error instanceof RetouchError)) return { error: UNEXPECTED, detail: traceOf(error) };
  if (OF_SENDER.has(error.code)) return { error: error.message };
  return { error: SENTENCES[error.code]?.(error) ?? UNEXPECTED, detail: traceOf(error) };
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

/** Sentences about "the image" or its address name the request's field. */
export async function naming<Result>(work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof RetouchError) || !error.code.startsWith("IMAGE_")) throw error;
    const message = error.message.startsWith("the image ")
      ? error.message.slice("the ".length)
      : `image: ${error.message}`;
    throw new RetouchError(error.code, message, { cause: error });
  }
}

/** Where our own storage lies and what ails it concerns the operator alone: that stays the cause. */
export async function ownStorage<Result>(sentence: string, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (cause) {
    throw new RetouchError("STORAGE_UNAVAILABLE", sentence, { cause });
  }
}

export function throwIfAborted(signal: AbortSignal): void {
  if (signal.aborted) throw aborted(signal);
}

export const aborted = ({ reason: cause }: AbortSignal): RetouchError =>
  new RetouchError("ABORTED", "The job was cancelled.", { cause });
