/** The columns of the jobs table, and the records made from them. */
import type { Job, JobStatus } from "./job.ts";
import type { Place } from "./queue.ts";

/**
 * Whole milliseconds of a job from one time to another, in SQL, if it has started. Not negative, where the clock
 * was set back in between.
 */
const msBetween = (from: string, to: string): string =>
  `case when started_at is not null then greatest(0, round(extract(epoch from ${to} - ${from}) * 1000))::bigint end`;

/** The columns of a {@link Job}. Times follow the database's clock, the only one that all processes share. */
export const JOB_COLUMNS = `
  id, key_id, endpoint, is_sync, status, submitted_at, started_at, ended_at, worker_id, progress, result, error, failure, retries,
  base_url, call,
  ${msBetween("submitted_at", "started_at")} as delay_ms,
  ${msBetween("started_at", "coalesce(held_at, ended_at, clock_timestamp())")} as execution_ms`;

export interface JobRow {
  id: string;
  key_id: string;
  endpoint: string;
  is_sync: boolean;
  status: JobStatus;
  submitted_at: Date;
  started_at: Date | null;
  ended_at: Date | null;
  worker_id: string | null;
  progress: Job["progress"] | null;
  result: Job["result"] | null;
  error: string | null;
  failure: Job["failure"] | null;
  retries: number;
  base_url: string;
  call: Job["call"] | null;
  delay_ms: number | null;
  execution_ms: number | null;
}

export function rowToJob(row: JobRow): Job {
  return {
    id: row.id,
    keyId: row.key_id,
    isSync: row.is_sync,
    status: row.status,
    submittedAt: row.submitted_at,
    startedAt: row.started_at ?? undefined,
    endedAt: row.ended_at ?? undefined,
    delayMs: row.delay_ms ?? undefined,
    executionMs: row.execution_ms ?? undefined,
    workerId: row.worker_id ?? undefined,
    progress: row.progress ?? undefined,
    result: row.result ?? undefined,
    error: row.error ?? undefined,
    failure: row.failure ?? undefined,
    retries: row.retries,
    baseUrl: row.base_url,
    call: row.call ?? undefined,
  };
}

/** Where a job stands in the queue. */
export interface PlaceRow {
  endpoint: string;
  queue_id: string;
  is_low_priority: boolean;
  turn: number;
}

export const placeOf = ({ endpoint, is_low_priority: isLowPriority, turn }: PlaceRow): Place => ({
  endpoint,
  isLowPriority,
  turn,
});

/** A job as stored in a webhook's row, and back. */
export const jobToJson = (job: Job): string => JSON.stringify(job);

export function jsonToJob(json: Record<keyof Job, never>): Job {
  const date = (value: string | undefined): Date | undefined =>
    value === undefined ? undefined : new Date(value);
  return {
    ...json,
    submittedAt: new Date(json.submittedAt),
    startedAt: date(json.startedAt),
    endedAt: date(json.endedAt),
  };
}
