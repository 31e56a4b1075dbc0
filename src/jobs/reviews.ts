/** Held results: which there are, and the decision about each, made once. */
import type { Sql } from "../database/database.ts";
import { RetouchError } from "../errors.ts";
import { channelOf, type JobsContext, schemaOf } from "./context.ts";
import { noted } from "./course.ts";
import { endJobs } from "./ending.ts";
import { newsOf } from "./events.ts";
import { type Job, type JobEdit, type JobResult, type ResultImage, resultImagesOf } from "./job.ts";
import { jobFailureOf } from "./job-failure.ts";
import { type Actor, readEntries, type ReviewEntry, TIME_LIMIT, writeEntry } from "./review-log.ts";
import { JOB_COLUMNS, type JobRow, rowToJob } from "./rows.ts";
import { flaggedError, type SafetyRecord } from "./safety-record.ts";

/** A result that waits for an operator. */
export interface HeldJob {
  jobId: string;
  /** Of the job's key; its name is unknown where the key is none of the table. */
  keyId: string;
  keyName?: string | undefined;
  /** As the database has it: `endpoints.ts`. */
  endpoint: string;
  heldAt: Date;
  /** When it is refused if nobody has decided. */
  until: Date;
  prompt: string;
  safety: SafetyRecord;
  /** Where its pictures lie in our storage, in their order. */
  pictures: readonly { key: string; bytes: number }[];
}

export const VERDICTS = ["approved", "rejected"] as const;
export type Verdict = (typeof VERDICTS)[number];

export interface Decision {
  verdict: Verdict;
  actor: Actor;
  /** At most {@link MAX_REASON} characters. */
  reason?: string | undefined;
}

export const MAX_REASON = 1000;

export interface Reviews {
  /** Those that wait, the oldest first. */
  list(page: { offset: number; limit: number }): Promise<{ held: HeldJob[]; total: number }>;
  /** One that waits. */
  find(jobId: string): Promise<HeldJob | undefined>;
  /**
   * Decides, unless somebody has.
   * @returns the job as it ended, or goes on into the caller's bucket; undefined if no result of such a job was ever held
   * @throws RetouchError REVIEW_OVER if it waits no longer
   */
  decide(jobId: string, decision: Decision): Promise<Job | undefined>;
  /** The log, newest first. */
  log(page: { jobId?: string | undefined; offset: number; limit: number }): Promise<ReviewEntry[]>;
}

/** How many results are refused at once for lack of a decision. */
const EXPIRED_AT_ONCE = 100;

export function createReviews(context: JobsContext): Reviews {
  const { database } = context;
  const schema = schemaOf(context);
  const selection = `
    select jobs.id, key_id, api_keys.name as key_name, endpoint, held_at, review_until, edit ->> 'prompt' as prompt,
           safety, held
      from ${schema}.jobs left join ${schema}.api_keys on api_keys.id = key_id where status = 'held'`;
  return {
    async list({ offset, limit }) {
      const [count] = await database.query<{ total: number }>(
        `select count(*) as total from ${schema}.jobs where status = 'held'`,
      );
      const rows = await database.query<HeldRow>(
        `${selection} order by held_at, jobs.id offset $1 limit $2`,
        [offset, limit],
      );
      return { held: rows.map(rowToHeld), total: count?.total ?? 0 };
    },
    async find(jobId) {
      const [row] = await database.query<HeldRow>(`${selection} and jobs.id = $1`, [jobId]);
      return row && rowToHeld(row);
    },
    async decide(jobId, { verdict, actor, reason }) {
      const job = await database.transaction((sql) =>
        settle(context, sql, jobId, { event: verdict, actor, reason }),
      );
      if (job !== undefined) return job;
      const entries = await readEntries(context, { jobId, offset: 0, limit: 1 });
      if (entries[0] !== undefined) throw isOver(entries[0]);
      return undefined;
    },
    log: (page) => readEntries(context, page),
  };
}

/** Refuses what nobody has decided on in time. @returns how many */
export async function expireReviews(context: JobsContext, nowMs: number): Promise<number> {
  return context.database.transaction(async (sql) => {
    const due = await sql.query<{ id: string; hours: number }>(
      `select id, extract(epoch from review_until - held_at) / 3600 as hours from ${schemaOf(context)}.jobs
        where status = 'held' and review_until <= to_timestamp($1::float8 / 1000)
        order by review_until limit ${EXPIRED_AT_ONCE} for update skip locked`,
      [nowMs],
    );
    for (const { id, hours } of due) {
      const reason = `Nobody decided within ${Number(Number(hours).toFixed(2))} h.`;
      await settle(context, sql, id, { event: "expired", actor: { name: TIME_LIMIT }, reason });
    }
    return due.length;
  });
}

type Settlement = Pick<ReviewEntry, "actor" | "reason"> & { event: "approved" | "rejected" | "expired" };

/** Ends a held job and writes who ended it. @returns undefined if it is not held */
async function settle(
  context: JobsContext,
  sql: Sql,
  jobId: string,
  { event, actor, reason }: Settlement,
): Promise<Job | undefined> {
  const schema = schemaOf(context);
  const [row] = await sql.query<SettledRow>(
    `select id, key_id, held, safety, edit ? 'bucket' and not (edit -> 'isInlineResult')::boolean as is_for_bucket
       from ${schema}.jobs where id = $1 and status = 'held' for update`,
    [jobId],
  );
  if (row === undefined) return undefined;
  await writeEntry(schema, sql, { ...row, event, actor, reason });
  const isApproved = event === "approved";
  if (isApproved && row.is_for_bucket) return sendToBucket(context, sql, jobId);
  // They are counted again as results, for as long as those live.
  if (isApproved) await sql.query(`delete from ${schema}.pictures where job_id = $1 and is_held`, [jobId]);
  const [job] = await endJobs(
    context,
    sql,
    isApproved
      ? { status: "completed", result: row.held }
      : { status: "failed", ...jobFailureOf(flaggedError(row.safety)) },
    "id = $5",
    [jobId],
  );
  return job;
}

interface SettledRow {
  id: string;
  key_id: string;
  held: JobResult;
  safety: SafetyRecord;
  is_for_bucket: boolean;
}

/**
 * Gives an approved job back to the workers, which alone reach the buckets of callers: the maintenance puts it into its
 * place in the queue, and its next run only delivers.
 */
async function sendToBucket(context: JobsContext, sql: Sql, jobId: string): Promise<Job> {
  const [row] = await sql.query<JobRow>(
    `update ${schemaOf(context)}.jobs
        set status = 'queued', attempt = 0, started_at = null, worker_id = null, held_at = null, review_until = null,
            progress = null, expires_at = clock_timestamp() + ttl_ms * interval '1 millisecond', ${noted("approved")}
      where id = $1 returning ${JOB_COLUMNS}, pg_notify($2, $3)`,
    [jobId, channelOf(context), newsOf("changed", jobId)],
  );
  return rowToJob(row!);
}

function isOver({ event, actor, at }: ReviewEntry): RetouchError {
  const when = `at ${at.toISOString().replace(/\.\d+Z$/, "Z")}`;
  const sentence =
    event === "held"
      ? "The result of this job does not wait for a decision any more."
      : `The review of this job is over: ${event} ${when} by ${actor.name}.`;
  return new RetouchError("REVIEW_OVER", sentence);
}

interface HeldRow {
  id: string;
  key_id: string;
  key_name: string | null;
  endpoint: string;
  held_at: Date;
  review_until: Date;
  prompt: JobEdit["prompt"] | null;
  safety: SafetyRecord;
  held: JobResult;
}

const rowToHeld = (row: HeldRow): HeldJob => ({
  jobId: row.id,
  keyId: row.key_id,
  keyName: row.key_name ?? undefined,
  endpoint: row.endpoint,
  heldAt: row.held_at,
  until: row.review_until,
  prompt: row.prompt ?? "",
  safety: row.safety,
  pictures: resultImagesOf(row.held).flatMap(placeOf),
});

const placeOf = (image: ResultImage): { key: string; bytes: number }[] =>
  image.kind === "stored" || image.kind === "embedded" ? [{ key: image.key, bytes: image.bytes ?? 0 }] : [];
