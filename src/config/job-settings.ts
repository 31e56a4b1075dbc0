/** Settings for how long jobs run, wait and are kept, for webhooks, and for the process. */
import { choice, decimal, duration, durationOrOff, flag, integer, pattern } from "./parsers.ts";
import { optional, required, secret, type Settings } from "./setting.ts";

export const JOBS = {
  executionTimeoutMs: optional(
    "RETOUCH_EXECUTION_TIMEOUT",
    duration("5s", "7d"),
    "10m",
    "Running time of a job whose policy names none; without it, 10 minutes, or four times what the edit takes by the worker's measured speed, whichever is longer.",
  ),
  ttlMs: required("RETOUCH_TTL", duration("10s", "7d"), "24h", "Lifetime of a job whose policy names none."),
  retentionMs: required(
    "RETOUCH_RETENTION",
    duration("1s", "30d"),
    "30m",
    "How long the result of /run is kept.",
  ),
  syncRetentionMs: required(
    "RETOUCH_SYNC_RETENTION",
    duration("1s", "30d"),
    "1m",
    "How long the result of /runsync is kept.",
  ),
  fileLifetimeMs: required(
    "RETOUCH_FILE_LIFETIME",
    duration("1m", "365d"),
    "7d",
    "How long result images are kept.",
  ),
  keepOriginals: required(
    "RETOUCH_KEEP_ORIGINALS",
    flag,
    "true",
    "Whether the first picture of a completed edit is kept as long as its job, so that later edits can start from it.",
  ),
  idempotencyLifetimeMs: required(
    "RETOUCH_IDEMPOTENCY_LIFETIME",
    duration("24h", "30d"),
    "24h",
    "How long, at least, a repeated Idempotency-Key finds its job.",
  ),
  syncWaitMs: required(
    "RETOUCH_SYNC_WAIT",
    duration("1s", "290s"),
    "90s",
    "How long /runsync, /status-sync and /v1/images/edits wait when `wait` is not given.",
  ),
  streamWaitMs: required(
    "RETOUCH_STREAM_WAIT",
    duration("1s", "290s"),
    "5s",
    "How long /stream waits when `wait` is not given.",
  ),
  maxAttempts: required(
    "RETOUCH_MAX_ATTEMPTS",
    integer(1, 10),
    "2",
    "How often a job is run if its worker is lost or crashes, including the first time.",
  ),
  leaseMs: required(
    "RETOUCH_LEASE",
    duration("1s", "10m"),
    "8s",
    "Time without a sign of life after which a worker counts as lost.",
  ),
  leaseRenewalMs: required(
    "RETOUCH_LEASE_RENEWAL",
    duration("100ms", "5m"),
    "2s",
    "How often a worker gives a sign of life; at most half of RETOUCH_LEASE.",
  ),
  resumeAfterMs: required(
    "RETOUCH_RESUME_AFTER",
    durationOrOff("0s", "7d"),
    "1m",
    "The state of edits that take longer than this is saved as they run, so that another worker can continue after a loss; off saves none.",
  ),
} satisfies Settings;

export const WEBHOOKS = {
  webhookSecret: secret(
    "RETOUCH_WEBHOOK_SECRET",
    pattern("16 to 200 characters", /^.{16,200}$/),
    "at-least-16-characters",
    "Secret of the older signature X-Retouch-Signature, the same for all keys.",
  ),
  webhookTries: required(
    "RETOUCH_WEBHOOK_TRIES",
    integer(1, 20),
    "3",
    "Number of attempts to deliver a webhook.",
  ),
  webhookDelayMs: required(
    "RETOUCH_WEBHOOK_DELAY",
    duration("100ms", "1h"),
    "10s",
    "Time between these attempts.",
  ),
  webhookBackoff: required(
    "RETOUCH_WEBHOOK_BACKOFF",
    decimal(1, 10),
    "1",
    "What that time is multiplied by after each attempt.",
  ),
  webhookTimeoutMs: required(
    "RETOUCH_WEBHOOK_TIMEOUT",
    duration("100ms", "5m"),
    "10s",
    "Time limit of one attempt.",
  ),
} satisfies Settings;

export const OPERATION = {
  logLevel: required(
    "RETOUCH_LOG_LEVEL",
    choice("fatal", "error", "warn", "info", "debug", "trace", "silent"),
    "info",
    "Least severe messages in the log, which is JSON on standard error.",
  ),
  shutdownDeadlineMs: required(
    "RETOUCH_SHUTDOWN_DEADLINE",
    duration("0ms", "10m"),
    "30s",
    "How long running jobs may take to finish when the program is told to stop; after that they return to the queue.",
  ),
  drainDelayMs: required(
    "RETOUCH_DRAIN_DELAY",
    duration("0ms", "10m"),
    "5s",
    "How long a server keeps taking calls after SIGTERM, while /readyz answers 503: longer than load balancers take to notice. Ctrl-C does not wait.",
  ),
} satisfies Settings;
