/**
 * What is stored for a key: sources until their jobs can no longer run, and originals until their jobs are gone; states until a later one or the job's end,
 * results until their URLs expire, and results without an address until their jobs are gone.
 */
import type { Sql } from "../database/database.ts";
import { type Moment, timeOf } from "./clock.ts";
import { type JobsContext, schemaOf } from "./context.ts";
import { filesOf, type Job } from "./job.ts";
import { IS_SPENT_STATE } from "./states.ts";

/** How many are deleted at once. */
const BATCH = 100;
/** After a deletion that failed. */
const RETRY_MS = 60_000;

/** Rows (storage_key, bytes) of stored images, from two lists of equal length: for a statement's `from`. */
export const storedRows = (keys: string, bytes: string): string =>
  `unnest(${keys}::text[], ${bytes}::bigint[]) as stored (storage_key, bytes)`;

/** Counts the stored files of a completed job. */
export async function countResult(context: JobsContext, sql: Sql, { id, keyId, result }: Job): Promise<void> {
  for (const image of result ? filesOf(result) : []) {
    if (image.kind !== "stored" && image.kind !== "embedded") continue;
    const { kind, key, bytes = 0 } = image;
    await sql.query(
      `insert into ${schemaOf(context)}.pictures (storage_key, key_id, bytes, expires_at, result_of)
       values ($1, $2, $3, clock_timestamp() + $4::bigint * interval '1 millisecond', $5) on conflict do nothing`,
      [key, keyId, bytes, ...(kind === "stored" ? [context.settings.fileLifetimeMs, null] : [null, id])],
      { isPlannedOnce: true },
    );
  }
}

/** Deletes jobs, and leaves the results that only they could show to {@link deleteSpentSources}. */
export async function deleteJobs(context: JobsContext, condition: string, values: unknown[]): Promise<void> {
  const schema = schemaOf(context);
  await context.database.query(
    `with gone as (delete from ${schema}.jobs where ${condition} returning id)
     update ${schema}.pictures set job_id = gone.id, result_of = null from gone where result_of = gone.id`,
    values,
  );
}

/**
 * Whether a source is the original that later edits can go back to: the first picture of an edit that continues no other
 * one, or was itself made from the original. Masks, further pictures and results that came back are none.
 */
const IS_ORIGINAL = `
  storage_key = edit #>> '{images,0,key}'
  and (not edit ? 'lineage' or edit #>> '{lineage,isFromOriginal}' is not distinct from 'true')`;

/**
 * Deletes the sources of jobs that can no longer run: completed (unless they are kept as originals), cancelled, gone, or, if the clock can be trusted,
 * too old to be retried; and the states that no job goes on from any more. What was the result of a job that is gone
 * follows when no webhook has to show it any more. A failed deletion is tried again after a minute.
 */
export async function deleteSpentSources(
  context: JobsContext,
  options: { deleteInput: (key: string) => Promise<void>; onError: (error: unknown) => void },
  { nowMs, mayDelete }: Pick<Moment, "nowMs" | "mayDelete">,
): Promise<void> {
  const schema = schemaOf(context);
  for (;;) {
    const spent = await context.database.query<{ storage_key: string }>(
      `select storage_key from ${schema}.pictures left join ${schema}.jobs on jobs.id = job_id
        where job_id is not null and delete_after <= clock_timestamp()
          and (jobs.id is null or status = 'cancelled' or status = 'completed' and not ($4 and ${IS_ORIGINAL})
               or ($2 and ended_at is not null and jobs.expires_at <= ${timeOf("$3")})
               or is_held and held is null
               or ${IS_SPENT_STATE})
          and not (not is_held and storage_key like 'inline/%' and exists (
            select from ${schema}.webhook_deliveries as delivery
             where delivery.key_id = pictures.key_id and delivery.job_id = pictures.job_id
               and delivery.status = 'pending' and delivery.job is not null))
        limit $1`,
      [BATCH, mayDelete, nowMs, context.settings.keepOriginals],
    );
    const failed: string[] = [];
    for (const { storage_key: key } of spent) {
      await options.deleteInput(key).catch((error: unknown) => {
        failed.push(key);
        options.onError(error);
      });
    }
    await forgetPictures(
      context,
      spent.map((row) => row.storage_key).filter((key) => !failed.includes(key)),
    );
    if (failed.length > 0) {
      await context.database.query(
        `update ${schema}.pictures set delete_after = clock_timestamp() + $2 * interval '1 millisecond'
          where storage_key = any($1)`,
        [failed, RETRY_MS],
      );
    }
    if (spent.length < BATCH) return;
  }
}

async function forgetPictures(context: JobsContext, keys: readonly string[]): Promise<void> {
  if (keys.length === 0) return;
  await context.database.query(`delete from ${schemaOf(context)}.pictures where storage_key = any($1)`, [
    keys,
  ]);
}

/** Stops counting results whose URLs have expired; the sweeper deletes their files. */
export async function forgetResults(context: JobsContext, { nowMs }: Pick<Moment, "nowMs">): Promise<void> {
  await context.database.query(
    `delete from ${schemaOf(context)}.pictures where expires_at <= ${timeOf("$1")}`,
    [nowMs],
  );
}

/** Finds which of these stored objects are needed: sources of jobs, and results whose URLs have not expired. */
export async function findNeeded(
  context: JobsContext,
  keys: readonly string[],
): Promise<ReadonlySet<string>> {
  const rows = await context.database.query<{ storage_key: string }>(
    `select storage_key from ${schemaOf(context)}.pictures where storage_key = any($1)`,
    [keys],
  );
  return new Set(rows.map((row) => row.storage_key));
}
