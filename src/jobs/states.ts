/**
 * States of edits that take long or have several results: where the latest one of a running job is stored, and which attempts got further because
 * of it. The column `kept_state` holds a {@link KeptState}, and
 * - `furthest`: the highest step after which one was kept, in any attempt;
 * - `isFurther`: whether the running attempt has raised it.
 *
 * What a job no longer names is deleted from the storage by the maintenance (`pictures.ts`).
 */
import type { Sql } from "../database/database.ts";
import { type JobsContext, schemaOf } from "./context.ts";
import type { ClaimedJob, KeptState } from "./job.ts";

/** Placeholders $1 to $3: see `work-queue.ts`. */
const OWNED = "id = $1 and attempt = $2 and worker_id = $3 and status = 'running'";

/** See `WorkQueue.keepState`. */
export async function keepState(
  context: JobsContext,
  job: ClaimedJob,
  workerId: string,
  { key, step, bytes }: KeptState,
): Promise<boolean> {
  const schema = schemaOf(context);
  const furthest = "coalesce((kept_state ->> 'furthest')::integer, 0)";
  const rows = await context.database.query(
    `with kept as (
       update ${schema}.jobs
          set kept_state = jsonb_build_object(
                'key', $4::text, 'step', $5::integer, 'bytes', $6::bigint,
                'furthest', greatest($5::integer, ${furthest}),
                'isFurther', $5::integer > ${furthest} or coalesce((kept_state ->> 'isFurther')::boolean, false))
        where ${OWNED} returning id, key_id)
     insert into ${schema}.pictures (storage_key, key_id, bytes, job_id)
     select $4, key_id, $6, id from kept returning storage_key`,
    [job.id, job.attempt, workerId, key, step, bytes],
  );
  return rows.length > 0;
}

/** Whether the running attempt got further than all before it: an edit that moves on may be lost any number of times. */
export async function isFurther(
  context: JobsContext,
  sql: Sql,
  { id, attempt, workerId }: { id: string; attempt: number; workerId: string },
): Promise<boolean> {
  const [row] = await sql.query<{ is_further: boolean | null }>(
    `select (kept_state ->> 'isFurther')::boolean as is_further from ${schemaOf(context)}.jobs where ${OWNED} for update`,
    [id, attempt, workerId],
  );
  return row?.is_further === true;
}

/** Assignments that queue a job again with its state: the next attempt begins with that step, and is yet to get further. */
export const KEEPING_STATE = `
  kept_state = kept_state - 'isFurther',
  progress = case when kept_state is not null
    then jsonb_build_object('step', kept_state -> 'step',
      'of', (edit ->> 'numSteps')::integer * coalesce((edit ->> 'numImages')::integer, 1)) end`;

/** SQL condition on `jobs` and `pictures`: the picture is the state of a job that ended or has a later one. */
export const IS_SPENT_STATE = `(storage_key like 'states/%'
  and (ended_at is not null or kept_state ->> 'key' is distinct from storage_key))`;
