/**
 * Errors. Every failure that a user can cause or must act on is a RetouchError with one of these codes, and data that
 * name the field or file: `errors/catalogue.ts` has the sentences. Anything else that is thrown is a defect.
 */
import { type Failure, failure, type FailureKind, type FailureValues, fieldOf } from "./errors/catalogue.ts";
import { LIBRARY, nameOf, sentenceOf, type Surface } from "./errors/wording.ts";

export { type Failure, failure, type FailureKind, fieldOf, LIBRARY, nameOf, sentenceOf, type Surface };

const ERRORS = {
  /** A parameter is missing, malformed or out of its range. */
  INVALID_PARAMETER: { httpStatus: 400, isRetryable: false },
  /** The picture's file, address or data URL cannot be read. */
  IMAGE_UNREADABLE: { httpStatus: 400, isRetryable: false },
  /** The bytes are no picture, or a damaged one. */
  IMAGE_INVALID: { httpStatus: 400, isRetryable: false },
  /** A picture in a format that is not accepted. */
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
  /** A LoRA of another kind or element type than those that can be used. */
  LORA_UNSUPPORTED: { httpStatus: 500, isRetryable: false },
  /** The hub does not give a repository, a revision or a file to this user. */
  HUB_REFUSED: { httpStatus: 403, isRetryable: false },
  /** The hub cannot be reached, or sent something else than it promised. */
  HUB_UNAVAILABLE: { httpStatus: 503, isRetryable: true },
  /** The runtime failed while loading or running a network. */
  RUNTIME_FAILED: { httpStatus: 500, isRetryable: true },
  /** An edit would take more memory than there is, or than is allowed. */
  MEMORY_INSUFFICIENT: { httpStatus: 500, isRetryable: false },
  /** Settings are wrong: one sentence a line. Or the environment is, for a program with the library. */
  CONFIG_INVALID: { httpStatus: 500, isRetryable: false },
  /** Another process owns the data folder. */
  DATA_DIR_IN_USE: { httpStatus: 500, isRetryable: true },
  /** The safety checker refused the result. */
  OUTPUT_FLAGGED: { httpStatus: 422, isRetryable: false },
  /** A job cannot be done within its own time limit, by the measured speed of the workers. */
  ESTIMATE_TOO_LONG: { httpStatus: 400, isRetryable: false },
  /** What is kept for a key takes as much room as it may. */
  QUOTA_EXCEEDED: { httpStatus: 507, isRetryable: true },
  /** The disk has less room left than the operator wants to keep free. */
  DISK_FULL: { httpStatus: 507, isRetryable: true },
  /** A call without a key to a name that is none of the server's. */
  HOST_UNKNOWN: { httpStatus: 421, isRetryable: false },
  /** Too many jobs wait already. */
  QUEUE_FULL: { httpStatus: 429, isRetryable: true },
  /** The idempotency key was used before, with another body. */
  IDEMPOTENCY_CONFLICT: { httpStatus: 409, isRetryable: false },
  /** Only failed and timed-out jobs can be retried. */
  NOT_RETRYABLE: { httpStatus: 409, isRetryable: false },
  /** The database cannot be reached, or is not fit for this version. */
  DATABASE_UNAVAILABLE: { httpStatus: 503, isRetryable: true },
  /** The database went away while a transaction was committed: it may be done or not. */
  COMMIT_UNDECIDED: { httpStatus: 503, isRetryable: true },
  /** The pictures cannot be stored or read. */
  STORAGE_UNAVAILABLE: { httpStatus: 503, isRetryable: true },
  /** The caller's signal ended the edit. */
  ABORTED: { httpStatus: 499, isRetryable: true },
} as const;

export type ErrorCode = keyof typeof ERRORS;
export const ERROR_CODES = Object.keys(ERRORS) as readonly ErrorCode[];

/** Far more than a sentence needs; what it names may come from outside, and be of any length. */
const MAX_MESSAGE_CHARACTERS = 4000;
const MAX_SHOWN_CHARACTERS = 100;

/**
 * A failure with a code of the catalogue. What it is about is data (`failures`); `message` is its wording, one sentence
 * that may be shown to the user as it is, with the library's names unless another surface words it.
 */
export class RetouchError extends Error {
  override readonly name = "RetouchError";
  readonly code: ErrorCode;
  /** What an HTTP interface answers with. */
  readonly httpStatus: number;
  /** Whether the same request may succeed later. */
  readonly isRetryable: boolean;
  /** Kind and values. More than one only where several settings are wrong at once: then `message` has a line for each. */
  readonly failures: readonly Failure[];
  /** A sentence for each of the failures. */
  readonly sentences: readonly string[];

  /**
   * @param what a failure of the catalogue, several of settings, or a sentence that is about one thing only
   * @param options.surface whose names the sentences have @default the library
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

  /** The first of its failures, which is nearly always the only one. */
  get failure(): Failure {
    return this.failures[0]!;
  }

  /** The parameter that it is about, by the library's name (`numSteps`, `size.width`, `loras[0].scale`, `image`). */
  get field(): string | undefined {
    return fieldOf(this.failure);
  }

  /** What fills the sentence. */
  get values(): Failure["values"] {
    return this.failure.values;
  }
}

function failuresOf(what: string | Failure | readonly Failure[]): readonly Failure[] {
  if (typeof what === "string") return [failure("sentence", { sentence: what })];
  return "kind" in what ? [what] : what;
}

/** The sentence of an error as a surface words it; of several settings, a line for each. */
export function wordError({ failures }: RetouchError, surface: Surface): string {
  const sentences = failures.map((one) => sentenceOf(one, surface));
  return cutText(sentences.join("\n"), MAX_MESSAGE_CHARACTERS);
}

/** An error's data, as another process or a row keeps them. */
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

/** A string without what is beyond `maxCharacters`, where an ellipsis stands instead. */
export function cutText(text: string, maxCharacters: number): string {
  return text.length > maxCharacters ? `${text.slice(0, maxCharacters)}…` : text;
}

/** A value from outside as a sentence names it: in quotes where it is a string, and cut where it is long. */
export function shownValue(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(cutText(value, MAX_SHOWN_CHARACTERS));
  return cutText(JSON.stringify(value) ?? String(value), MAX_SHOWN_CHARACTERS);
}
