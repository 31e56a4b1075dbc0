/**
 * The catalogue of errors. Every failure that a user can cause or must act on is a RetouchError with one of
 * these codes and one sentence that names the field or file; anything else that is thrown is a defect.
 */
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

/** A failure with a code of the catalogue; `message` is one sentence that may be shown to the user as it is. */
export class RetouchError extends Error {
  override readonly name = "RetouchError";
  readonly code: ErrorCode;
  /** What an HTTP interface answers with. */
  readonly httpStatus: number;
  /** Whether the same request may succeed later. */
  readonly isRetryable: boolean;
  /** Which part of the request it is about, by the name that the request has for it, where the sentence has a path. */
  readonly subject: string | undefined;

  constructor(
    code: ErrorCode,
    message: string,
    { subject, ...options }: { cause?: unknown; subject?: string } = {},
  ) {
    super(cutText(message, MAX_MESSAGE_CHARACTERS), options);
    this.subject = subject;
    this.code = code;
    this.httpStatus = ERRORS[code].httpStatus;
    this.isRetryable = ERRORS[code].isRetryable;
  }
}

/** The text of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** A text without what is beyond `maxCharacters`, in whose place there is an ellipsis. */
export function cutText(text: string, maxCharacters: number): string {
  return text.length > maxCharacters ? `${text.slice(0, maxCharacters)}…` : text;
}

/** A value from outside as a sentence names it: in quotes where it is a text, and cut where it is long. */
export function shownValue(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(cutText(value, MAX_SHOWN_CHARACTERS));
  return cutText(JSON.stringify(value) ?? String(value), MAX_SHOWN_CHARACTERS);
}
