/** Settings for how much callers may request; the defaults are those of the published endpoint. */
import { byteSize, duration, integer } from "./parsers.ts";
import { required, type Settings } from "./setting.ts";

const RATE = integer(1, 1_000_000);

export const LIMITS = {
  runMaxBytes: required("RETOUCH_RUN_MAX_BYTES", byteSize("1KB", "1GB"), "10MB", "Largest body of /run."),
  runsyncMaxBytes: required(
    "RETOUCH_RUNSYNC_MAX_BYTES",
    byteSize("1KB", "1GB"),
    "20MB",
    "Largest body of /runsync and /v1/images/edits.",
  ),
  bodyBudgetBytes: required(
    "RETOUCH_BODY_BUDGET",
    byteSize("1KB", "100GB"),
    "96MB",
    "Total bytes of all bodies held in memory at the same time, until their images are stored; at least the largest body.",
  ),
  bodyBudgetPerKeyBytes: required(
    "RETOUCH_BODY_BUDGET_PER_KEY",
    byteSize("1KB", "100GB"),
    "80MB",
    "The same limit for each key.",
  ),
  leastBytesPerSecond: required(
    "RETOUCH_LEAST_THROUGHPUT",
    byteSize("1KB", "1GB"),
    "10KB",
    "Bytes per second, on average, at which a body must arrive and an answer must be read.",
  ),
  maxConnections: required(
    "RETOUCH_MAX_CONNECTIONS",
    integer(10, 1_000_000),
    "2000",
    "Connections at the same time; beyond that, the one that has been idle longest is closed.",
  ),
  rateWindowMs: required(
    "RETOUCH_RATE_WINDOW",
    duration("1s", "1h"),
    "10s",
    "Window of the rates below, which are counted per key.",
  ),
  runRate: required("RETOUCH_RUN_RATE", RATE, "1000", "Calls of /run in a window."),
  runConcurrency: required("RETOUCH_RUN_CONCURRENCY", RATE, "200", "Calls of /run at the same time."),
  runsyncRate: required(
    "RETOUCH_RUNSYNC_RATE",
    RATE,
    "2000",
    "Calls of /runsync, /picture and /v1/images/edits together in a window.",
  ),
  runsyncConcurrency: required(
    "RETOUCH_RUNSYNC_CONCURRENCY",
    RATE,
    "400",
    "Calls of these routes at the same time.",
  ),
  statusRate: required(
    "RETOUCH_STATUS_RATE",
    RATE,
    "2000",
    "Calls of /status, /status-sync, /stream and /queue together in a window.",
  ),
  statusConcurrency: required(
    "RETOUCH_STATUS_CONCURRENCY",
    RATE,
    "400",
    "Calls of these routes at the same time.",
  ),
  cancelRate: required("RETOUCH_CANCEL_RATE", RATE, "100", "Calls of /cancel in a window."),
  cancelConcurrency: required("RETOUCH_CANCEL_CONCURRENCY", RATE, "20", "Calls of /cancel at the same time."),
  purgeRate: required("RETOUCH_PURGE_RATE", RATE, "2", "Calls of /purge-queue in a window."),
  requestsRate: required("RETOUCH_REQUESTS_RATE", RATE, "10", "Calls of /requests in a window."),
  requestsConcurrency: required(
    "RETOUCH_REQUESTS_CONCURRENCY",
    RATE,
    "2",
    "Calls of /requests at the same time.",
  ),
  ratePerWorker: required(
    "RETOUCH_RATE_PER_WORKER",
    integer(0, 1_000_000),
    "50",
    "Calls in a window that each worker adds, if that is more than a rate above; not for /purge-queue and /requests.",
  ),
  retryRate: required("RETOUCH_RETRY_RATE", RATE, "100", "Calls of /retry in a window."),
  readRate: required(
    "RETOUCH_READ_RATE",
    RATE,
    "1000",
    "Calls of /health, /usage, /loras, /estimate, /webhook-deliveries and /v1/models together in a window.",
  ),
  wrongKeyRate: required(
    "RETOUCH_WRONG_KEY_RATE",
    RATE,
    "100",
    "Calls with a wrong key from one address in a window; calls with a valid key are not counted.",
  ),
  maxQueued: required("RETOUCH_MAX_QUEUED", integer(1, 10_000_000), "50", "Jobs of one key that may wait."),
  maxQueuedPerWorker: required(
    "RETOUCH_MAX_QUEUED_PER_WORKER",
    integer(0, 1_000_000),
    "500",
    "Jobs of one key that may wait for each worker; the greater of the two limits applies.",
  ),
  maxQueuedTotal: required(
    "RETOUCH_MAX_QUEUED_TOTAL",
    integer(1, 10_000_000),
    "100000",
    "Jobs that may wait, of all keys together; never fewer than those of one key.",
  ),
  keyQuotaBytes: required(
    "RETOUCH_KEY_QUOTA",
    byteSize("1MB", "1000000GB"),
    "50GB",
    "Space for the sources and results of one key; beyond it, its edits are refused until older results are deleted.",
  ),
  minFreeDiskBytes: required(
    "RETOUCH_MIN_FREE_DISK",
    byteSize("0KB", "1000000GB"),
    "1GB",
    "Free space on the disk of RETOUCH_DATA_DIR below which edits are refused.",
  ),
} satisfies Settings;
