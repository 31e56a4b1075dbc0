/**
 * What is stored for a key: sources until their jobs can no longer run, states until a later one or the job's end, results
 * until their URLs expire.
 */
import type { Sql } from "../database/database.ts";
import { type JobsContext, schemaOf } from "./context.ts";
import type { Job } from "./job.ts";
import { IS_SPENT_STATE } from "./states.ts";

/** How many are deleted at once. */
const BATCH = 100;
/** After a deletion that failed. */
const RETRY_MS = 60_000;

/** Rows (storage_key, bytes) of stored images, from two lists of equal length: for a statement's `from`. */
export const storedRows = (keys: string, bytes: string): string =>
  `unnest(${keys}::text[], ${bytes}::bigint[]) as stored (storage_key, bytes)`;

/** Counts the stored result of a completed job. */
export async function countResult(context: JobsContext, sql: Sql, { keyId, result }: Job): Promise<void> {
  if (result?.image.kind !== "stored") return;
  const { key, bytes = 0 } = result.image;
  await sql.query(
    `insert into ${schemaOf(context)}.pictures (storage_key, key_id, bytes, expires_at)
     values ($1, $2, $3, clock_timestamp() + $4 * interval '1 millisecond') on conflict do nothing`,
    [key, keyId, bytes, context.settings.fileLifetimeMs],
    { isPlannedOnce: true },
  );
}

/**
 * Deletes the sources of jobs that can no longer run: completed, cancelled, gone, or too old to be retried; and the
 * states that no job goes on from any more. A failed deletion is tried again after a minute.
 */
export async function deleteSpentSources(
  context: JobsContext,
  options: { deleteInput: (key: string) => Promise<void>; onError: (error: unknown) => void },
): Promise<void> {
  const schema = schemaOf(context);
  for (;;) {
    const spent = await context.database.query<{ storage_key: string }>(
      `select storage_key from ${schema}.pictures left join ${schema}.jobs on jobs.id = job_id
        where job_id is not null and delete_after <= clock_timestamp()
          and (jobs.id is null or status in ('completed', 'cancelled')
               or (ended_at is not null and jobs.expires_at <= clock_timestamp())
               or ${IS_SPENT_STATE})
        limit $1`,
      [BATCH],
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
export async function forgetResults(context: JobsContext): Promise<void> {
  await context.database.query(
    `delete from ${schemaOf(context)}.pictures where expires_at <= clock_timestamp()`,
  );
}

/** Finds which of these stored objects belong to a job. */
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
