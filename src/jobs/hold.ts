/** Holds the result of a job until an operator has decided: what is known of it, without releasing any of it. */
import type { Sql } from "../database/database.ts";
import { channelOf, type JobsContext, schemaOf } from "./context.ts";
import { noted } from "./course.ts";
import { newsOf } from "./events.ts";
import { filesOf, type JobResult } from "./job.ts";
import { CHECKER, writeEntry } from "./review-log.ts";
import type { SafetyRecord } from "./safety-record.ts";

/**
 * Ends the run of a job whose result waits for an operator. The job itself goes on: it has left the queue, its time to
 * live ends it no more, and its files belong to it until the decision.
 * @param attempt its id, its number and its worker
 * @returns false if it is no longer this worker's
 */
export async function holdJob(
  context: JobsContext,
  sql: Sql,
  attempt: readonly unknown[],
  { result, safety }: { result: JobResult; safety: SafetyRecord },
): Promise<boolean> {
  const schema = schemaOf(context);
  const [row] = await sql.query<{ id: string; key_id: string; endpoint: string; queue_id: string }>(
    `update ${schema}.jobs
        set status = 'held', held = $4, safety = $5, held_at = clock_timestamp(),
            review_until = clock_timestamp() + $6 * interval '1 millisecond', expires_at = 'infinity',
            -- A preview shows what is held.
            progress = progress - 'preview', kept_state = null, lease_until = null, ${noted("held")}
      where id = $1 and attempt = $2 and worker_id = $3 and status = 'running'
      returning id, key_id, endpoint, queue_id`,
    [...attempt, JSON.stringify(result), JSON.stringify(safety), context.settings.reviewTimeoutMs],
  );
  if (row === undefined) return false;
  await context.queue.remove(sql, [{ endpoint: row.endpoint, queueId: row.queue_id }]);
  for (const file of filesOf(result)) {
    if (file.kind !== "stored" && file.kind !== "embedded") continue;
    await sql.query(
      `insert into ${schema}.pictures (storage_key, key_id, bytes, job_id, is_held) values ($1, $2, $3, $4, true)`,
      [file.key, row.key_id, file.bytes ?? 0, row.id],
    );
  }
  await sql.query(`update ${schema}.job_chunks set chunk = chunk #- '{progress,preview}' where job_id = $1`, [
    row.id,
  ]);
  await writeEntry(schema, sql, { ...row, event: "held", actor: { name: CHECKER }, safety });
  await sql.query("select pg_notify($1, $2)", [channelOf(context), newsOf("changed", row.id)]);
  return true;
}
