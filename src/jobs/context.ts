/** What the functions of this folder work with. */
import type { Database } from "../database/database.ts";
import { quoted } from "../database/migrations.ts";
import type { Clock } from "./clock.ts";
import type { Events } from "./events.ts";
import type { Queue } from "./queue.ts";

export interface JobsSettings {
  /** How long a worker keeps a job without reporting that it is alive. */
  leaseMs: number;
  /** How often a job whose worker is lost or crashes may run, the first run included. */
  maxAttempts: number;
  /** Minimum time during which a submission can be repeated under its idempotency key. */
  idempotencyLifetimeMs: number;
  /** Jobs of a key are refused when more of them wait than the greater of a total and a number per worker. */
  maxQueued: number;
  maxQueuedPerWorker: number;
  /** Jobs are refused when more wait in total, whatever their keys. */
  maxQueuedTotal: number;
  /** Bytes of sources and results that may be stored per key. */
  keyQuotaBytes: number;
  /** How long a held result waits for an operator. */
  reviewTimeoutMs: number;
  /** How long results are stored. */
  fileLifetimeMs: number;
  /** Whether the first picture of a completed edit is stored for as long as its job, for edits from the original. */
  keepOriginals: boolean;
}

export interface JobsContext {
  database: Database;
  queue: Queue;
  events: Events;
  settings: JobsSettings;
  clock: Clock;
}

/** The schema's name, quoted for statements. */
export const schemaOf = ({ database }: JobsContext): string => quoted(database.schema);

/** The channel of {@link Events}. */
export const channelOf = ({ database }: JobsContext): string => `${database.schema}_events`;
