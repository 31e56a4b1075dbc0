/** The endpoints of one database: each has its own jobs, queue, turns and counts. */
import type { Sql } from "../database/database.ts";
import { quoted } from "../database/migrations.ts";

/**
 * The default endpoint in the database, where every other one has its id. It keeps its jobs when RETOUCH_ENDPOINT_ID
 * changes, and has those of versions that knew no other.
 */
export const DEFAULT_ENDPOINT = "";

/** Makes the counters of these endpoints where they are missing. */
export async function createCounters(
  sql: Pick<Sql, "query"> & { schema: string },
  endpoints: readonly string[],
): Promise<void> {
  await sql.query(
    `insert into ${quoted(sql.schema)}.counters (endpoint, name)
     select endpoint, name from unnest($1::text[]) as endpoint,
            unnest(array['completed', 'failed', 'retried', 'turn', 'low_priority_turn']) as name
     on conflict do nothing`,
    [endpoints],
  );
}
