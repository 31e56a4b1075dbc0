/**
 * Ends jobs, whatever the reason: state, webhook, cost, counters and stream in the caller's transaction.
 * Every ending goes through here, and none can end a job that has already ended.
 */
import type { Sql } from "../database/database.ts";
import { channelOf, type JobsContext, schemaOf } from "./context.ts";
import { newsOf } from "./events.ts";
import {
  type Job,
  type JobChunk,
  type JobResult,
  type JobStatus,
  namesOf,
  type ResultImage,
  statusesBefore,
} from "./job.ts";
import { countResult } from "./pictures.ts";
import { notedAs } from "./course.ts";
import { OWNER, writeEntry } from "./review-log.ts";
import { JOB_COLUMNS, type JobRow, jobToJson, rowToJob } from "./rows.ts";
import type { SafetyRecord } from "./safety-record.ts";

export interface Ending {
  status: "completed" | "failed" | "timedOut" | "cancelled";
  error?: string | undefined;
  failure?: Job["failure"];
  result?: JobResult | undefined;
  safety?: SafetyRecord | undefined;
}

type EndedRow = JobRow & {
  webhook: string | null;
  queue_id: string;
  held_at: Date | null;
  safety: SafetyRecord | null;
};

/**
 * Ends the jobs that `where` selects and whose state allows it.
 * @param where a condition on the jobs table, with placeholders from $5 on
 */
export async function endJobs(
  context: JobsContext,
  sql: Sql,
  { status, error, failure, result, safety }: Ending,
  where: string,
  values: readonly unknown[],
): Promise<Job[]> {
  const rows = await sql.query<EndedRow>(
    `update ${schemaOf(context)}.jobs
        set status = $1, error = $2, result = $3, failure = $${5 + values.length},
            result_names = $${6 + values.length}, ended_at = clock_timestamp(),
            -- Its preview may be large, and nothing shows the progress of an ended job.
            progress = null, kept_state = null, lease_until = null,
            held = null, safety = coalesce($${7 + values.length}, safety),
            ${notedAs("$1::text", { reason: "$2::text" })},
            expires_at = least(expires_at, clock_timestamp() + retention_ms * interval '1 millisecond')
      where status = any($4) and ${where}
      returning ${JOB_COLUMNS}, webhook, queue_id, held_at, safety`,
    [
      status,
      error,
      result && JSON.stringify(result),
      statusesBefore(status),
      ...values,
      failure && JSON.stringify(failure),
      result && namesOf(result),
      safety && JSON.stringify(safety),
    ],
  );
  if (rows.length === 0) return [];
  // One that was held has left it already.
  const queued = rows.filter((row) => row.held_at === null);
  if (queued.length > 0) {
    await context.queue.remove(
      sql,
      queued.map((row) => ({ endpoint: row.endpoint, queueId: row.queue_id })),
    );
  }
  for (const row of rows) await account(context, sql, row);
  return rows.map(rowToJob);
}

/** Records the charge, the webhook and the last chunk of an ended job, and notifies those who wait for it. */
async function account(context: JobsContext, sql: Sql, row: EndedRow): Promise<void> {
  const schema = schemaOf(context);
  const job = rowToJob(row);
  if (job.status === "cancelled" && row.held_at !== null) {
    await writeEntry(schema, sql, { ...row, event: "cancelled", actor: { name: OWNER } });
  }
  if (job.status !== "cancelled") await charge(schema, sql, { ...job, endpoint: row.endpoint });
  await countResult(context, sql, job);
  if (job.result) {
    const chunk: JobChunk = { kind: "result", result: job.result };
    await sql.query(
      `insert into ${schema}.job_chunks (job_id, chunk) values ($1, $2)`,
      [job.id, JSON.stringify(chunk)],
      { isPlannedOnce: true },
    );
  }
  const channel = channelOf(context);
  if (row.webhook !== null) {
    await sql.query(
      `with made as (
         insert into ${schema}.webhook_deliveries (job_id, key_id, url, job, body_bytes, endpoint)
         values ($1, $2, $3, $4::jsonb, length($4::text) + $7::bigint, $8) returning id)
       select pg_notify($5, $6) from made`,
      [
        job.id,
        job.keyId,
        row.webhook,
        jobToJson(job),
        channel,
        newsOf("webhook"),
        shownBytes(job),
        row.endpoint,
      ],
    );
  }
  await sql.query("select pg_notify($1, $2)", [channel, newsOf("changed", job.id)], { isPlannedOnce: true });
}

/** Bytes that the results add to a body which shows the job: in base64, the first one under two names more. */
function shownBytes({ result }: Job): number {
  if (result === undefined) return 0;
  const bytesOf = (image: ResultImage): number =>
    image.kind === "embedded" ? 4 * Math.ceil(image.bytes / 3) : 0;
  const listed = (result.images ?? []).reduce((sum, { image }) => sum + bytesOf(image), 0);
  return 2 * bytesOf(result.image) + listed;
}

/** Writes one row per job, whatever its retries: nothing is charged twice, and a failed job costs nothing. */
async function charge(schema: string, sql: Sql, job: Job & { endpoint: string }): Promise<void> {
  const isCompleted = job.status === "completed";
  await sql.query(
    `with used as (
       insert into ${schema}.usage (job_id, key_id, ended_at, is_completed, cost, endpoint)
       values ($1, $2, clock_timestamp(), $3, $4, $6)
       on conflict (job_id) do update
         set ended_at = excluded.ended_at, is_completed = excluded.is_completed, cost = excluded.cost
       returning 1)
     update ${schema}.counters set value = value + 1 where endpoint = $6 and name = $5 and exists (select from used)`,
    [job.id, job.keyId, isCompleted, job.result?.cost ?? 0, counterOf(job.status), job.endpoint],
    { isPlannedOnce: true },
  );
}

const counterOf = (status: JobStatus): string => (status === "completed" ? "completed" : "failed");
