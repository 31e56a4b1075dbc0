/** What the functions of this folder work with. */
import type { Database } from "../database/database.ts";
import { quoted } from "../database/migrations.ts";
import type { Events } from "./events.ts";
import type { Queue } from "./queue.ts";

export interface JobsSettings {
  /** How long a worker keeps a job without a sign of life. */
  leaseMs: number;
  /** Runs of a job whose worker is lost or crashes, the first included. */
  maxAttempts: number;
  /** How long a submission can be repeated under its idempotency key, at least. */
  idempotencyLifetimeMs: number;
  /** Jobs of a key are refused when more of it wait than the greater of these: a number, and so many a worker. */
  maxQueued: number;
  maxQueuedPerWorker: number;
  /** Jobs are refused when more wait, whosever they are. */
  maxQueuedTotal: number;
  /** Bytes of sources and results that are kept for a key. */
  keyQuotaBytes: number;
  /** How long results are kept. */
  fileLifetimeMs: number;
}

export interface JobsContext {
  database: Database;
  queue: Queue;
  events: Events;
  settings: JobsSettings;
}

/** The schema as it stands in statements. */
export const schemaOf = ({ database }: JobsContext): string => quoted(database.schema);

/** The channel of {@link Events}. */
export const channelOf = ({ database }: JobsContext): string => `${database.schema}_events`;
