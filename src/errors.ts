/**
 * Errors. Every failure that a user can cause or must act on is a RetouchError with one of these codes and data that
 * names the field or file; the sentences are in `errors/catalogue.ts`. Anything else that is thrown is a bug.
 */
import { type Failure, failure, type FailureKind, type FailureValues, fieldOf } from "./errors/catalogue.ts";
import { anyOf } from "./errors/any-of.ts";
import { nearestOf } from "./errors/nearest.ts";
import { LIBRARY, nameOf, sentenceOf, type Surface } from "./errors/wording.ts";

export {
  anyOf,
  type Failure,
  failure,
  type FailureKind,
  fieldOf,
  LIBRARY,
  nameOf,
  nearestOf,
  sentenceOf,
  type Surface,
};

const ERRORS = {
  /** A parameter is missing, malformed or out of its range. */
  INVALID_PARAMETER: { httpStatus: 400, isRetryable: false },
  /** The image's file, URL or data URL cannot be read. */
  IMAGE_UNREADABLE: { httpStatus: 400, isRetryable: false },
  /** The bytes are not an image, or the image is damaged. */
  IMAGE_INVALID: { httpStatus: 400, isRetryable: false },
  /** An image in a format that is not accepted. */
  IMAGE_UNSUPPORTED: { httpStatus: 415, isRetryable: false },
  /** More bytes or pixels than the limit. */
  IMAGE_TOO_LARGE: { httpStatus: 413, isRetryable: false },
  /** The result cannot be written. */
  OUTPUT_UNWRITABLE: { httpStatus: 507, isRetryable: true },
  /** A checkpoint folder or one of its files does not exist. */
  CHECKPOINT_MISSING: { httpStatus: 500, isRetryable: false },
  /** A checkpoint file is damaged, or keys and shapes do not fit its configuration. */
  CHECKPOINT_INVALID: { httpStatus: 500, isRetryable: false },
  /** A checkpoint asks for something that this engine does not implement. */
  CHECKPOINT_UNSUPPORTED: { httpStatus: 500, isRetryable: false },
  /** A LoRA's file is missing or damaged, or does not fit the network. */
  LORA_INVALID: { httpStatus: 500, isRetryable: false },
  /** A LoRA of a kind or element type that is not supported. */
  LORA_UNSUPPORTED: { httpStatus: 500, isRetryable: false },
  /** The hub refuses this user access to a repository, a revision or a file. */
  HUB_REFUSED: { httpStatus: 403, isRetryable: false },
  /** The hub cannot be reached, or sent something other than it promised. */
  HUB_UNAVAILABLE: { httpStatus: 503, isRetryable: true },
  /** The runtime failed while loading or running a network. */
  RUNTIME_FAILED: { httpStatus: 500, isRetryable: true },
  /** An edit would take more memory than is available or allowed. */
  MEMORY_INSUFFICIENT: { httpStatus: 500, isRetryable: false },
  /** Settings are wrong, one sentence per line; or, for a program using the library, its environment is. */
  CONFIG_INVALID: { httpStatus: 500, isRetryable: false },
  /** Another process owns the data folder. */
  DATA_DIR_IN_USE: { httpStatus: 500, isRetryable: true },
  /** The safety checker refused the result. */
  OUTPUT_FLAGGED: { httpStatus: 422, isRetryable: false },
  /** At the workers' measured speed, a job cannot finish within its own time limit. */
  ESTIMATE_TOO_LONG: { httpStatus: 400, isRetryable: false },
  /** The results kept for a key already take all the space it is allowed. */
  QUOTA_EXCEEDED: { httpStatus: 507, isRetryable: true },
  /** The disk is full, or has less free space than the operator wants to keep. */
  DISK_FULL: { httpStatus: 507, isRetryable: true },
  /** A request without a key, to a host name that is not one of the server's. */
  HOST_UNKNOWN: { httpStatus: 421, isRetryable: false },
  /** Too many jobs are already waiting. */
  QUEUE_FULL: { httpStatus: 429, isRetryable: true },
  /** The idempotency key was used before, with a different body. */
  IDEMPOTENCY_CONFLICT: { httpStatus: 409, isRetryable: false },
  /** Only failed and timed-out jobs can be retried. */
  NOT_RETRYABLE: { httpStatus: 409, isRetryable: false },
  /** Somebody has decided on this result before, or it waits no longer. */
  REVIEW_OVER: { httpStatus: 409, isRetryable: false },
  /** The database cannot be reached, or does not suit this version. */
  DATABASE_UNAVAILABLE: { httpStatus: 503, isRetryable: true },
  /** The database connection was lost during a commit: the transaction may or may not have been applied. */
  COMMIT_UNDECIDED: { httpStatus: 503, isRetryable: true },
  /** The operator's own storage of images does not work. */
  STORAGE_UNAVAILABLE: { httpStatus: 503, isRetryable: true },
  /** The caller's own bucket (`s3Config`) does not take the result. */
  BUCKET_UNAVAILABLE: { httpStatus: 424, isRetryable: true },
  /** A receipt that cannot be read, was not signed by a known key, or is not about that file or source. */
  RECEIPT_INVALID: { httpStatus: 422, isRetryable: false },
  /** The caller's signal aborted the edit. */
  ABORTED: { httpStatus: 499, isRetryable: true },
} as const;

/** The code of a {@link RetouchError}, by which programs tell failures apart. */
export type ErrorCode = keyof typeof ERRORS;
/** Every code that a {@link RetouchError} may have. */
export const ERROR_CODES = Object.keys(ERRORS) as readonly ErrorCode[];

/** Far more than a sentence needs; a value it names may come from outside and be of any length. */
const MAX_MESSAGE_CHARACTERS = 4000;
const MAX_SHOWN_CHARACTERS = 100;

/**
 * A failure with a code from the catalogue. `failures` holds its data; `message` is its wording, one sentence that may
 * be shown to the user as it is. It uses the library's names unless another surface words it.
 */
export class RetouchError extends Error {
  override readonly name = "RetouchError";
  readonly code: ErrorCode;
  /** The status that an HTTP interface answers with. */
  readonly httpStatus: number;
  /** Whether the same request may succeed later. */
  readonly isRetryable: boolean;
  /** Kind and values. There are several only if several settings are wrong; `message` then has a line for each. */
  readonly failures: readonly Failure[];
  /** One sentence per failure. */
  readonly sentences: readonly string[];

  /**
   * @param what a failure from the catalogue, several failures of settings, or a sentence for a one-off failure
   * @param options.surface whose names the sentences use @default the library
   */
  constructor(
    code: ErrorCode,
    what: string | Failure | readonly Failure[],
    { surface = LIBRARY, ...options }: { cause?: unknown; surface?: Surface } = {},
  ) {
    const failures = failuresOf(what);
    const sentences = failures.map((one) => cutText(sentenceOf(one, surface), MAX_MESSAGE_CHARACTERS));
    super(cutText(sentences.join("\n"), MAX_MESSAGE_CHARACTERS), options);
    this.failures = failures;
    this.sentences = sentences;
    this.code = code;
    this.httpStatus = ERRORS[code].httpStatus;
    this.isRetryable = ERRORS[code].isRetryable;
  }

  /** The first failure, which is nearly always the only one. */
  get failure(): Failure {
    return this.failures[0]!;
  }

  /** The parameter at fault, by the library's name (`numSteps`, `size.width`, `loras[0].scale`, `image`). */
  get field(): string | undefined {
    return fieldOf(this.failure);
  }

  /** The values that fill in the sentence. */
  get values(): Failure["values"] {
    return this.failure.values;
  }
}

function failuresOf(what: string | Failure | readonly Failure[]): readonly Failure[] {
  if (typeof what === "string") return [failure("sentence", { sentence: what })];
  return "kind" in what ? [what] : what;
}

/** An error's sentence as a surface words it; for several settings, one line each. */
export function wordError({ failures }: RetouchError, surface: Surface): string {
  const sentences = failures.map((one) => sentenceOf(one, surface));
  return cutText(sentences.join("\n"), MAX_MESSAGE_CHARACTERS);
}

/** An error's data, as it is sent to another process or stored in a row. */
export interface FailureRecord extends Failure {
  readonly code: ErrorCode;
}

export const recordOf = ({ code, failure: { kind, values } }: RetouchError): FailureRecord => ({
  code,
  kind,
  values,
});

/** A parameter that is missing, malformed or out of its range. */
export function invalid<Kind extends FailureKind>(
  kind: Kind,
  values: FailureValues<Kind>,
  options?: { cause?: unknown; surface?: Surface },
): RetouchError {
  return new RetouchError("INVALID_PARAMETER", failure(kind, values), options);
}

/** The message of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Cuts a string to `maxCharacters`, ending it with an ellipsis if anything was cut. */
export function cutText(text: string, maxCharacters: number): string {
  return text.length > maxCharacters ? `${text.slice(0, maxCharacters)}…` : text;
}

/** An outside value as a sentence shows it: quoted if it is a string, and cut if it is long. */
export function shownValue(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(cutText(value, MAX_SHOWN_CHARACTERS));
  return cutText(JSON.stringify(value) ?? String(value), MAX_SHOWN_CHARACTERS);
}
