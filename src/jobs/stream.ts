/** The stream of a job: every chunk is handed out once, and put back if it could not be delivered. */
import { channelOf, type JobsContext, schemaOf } from "./context.ts";
import type { TakenChunks, WaitOptions } from "./contracts.ts";
import { newsOf } from "./events.ts";
import { isEnded, type Job, type JobChunk } from "./job.ts";
import { lookUntil, watchJob } from "./wait.ts";

interface ChunkRow {
  position: number;
  chunk: JobChunk;
}

export async function takeChunks(
  context: JobsContext,
  load: () => Promise<Job | undefined>,
  id: string,
  options: WaitOptions,
): Promise<TakenChunks | undefined> {
  const { events } = context;
  const watch = watchJob(events, id, { ...options, topics: ["changed", "progressed"] });
  try {
    return await lookUntil<TakenChunks | undefined>(watch, async () => {
      // The state is read first: if the job ends in between, the reply says "still running" with its last
      // chunk, and a client that stops at the first end state misses none.
      const job = await load();
      if (job === undefined) return { isDone: true, found: undefined };
      const rows = await take(context, id);
      const found = {
        job,
        chunks: rows.map(({ chunk }) => chunk),
        giveBack: () => giveBack(context, id, rows),
      };
      return { isDone: rows.length > 0 || isEnded(job.status), found };
    });
  } finally {
    watch.close();
  }
}

/**
 * Takes chunks in a transaction: if they do not arrive here, they are not taken. If only the answer to the commit
 * is lost, they are put back, for whoever looks next.
 */
async function take(context: JobsContext, id: string): Promise<ChunkRow[]> {
  let rows: ChunkRow[] = [];
  try {
    await context.database.transaction(async (sql) => {
      rows = await sql.query<ChunkRow>(
        `with taken as (delete from ${schemaOf(context)}.job_chunks where job_id = $1 returning position, chunk)
         select position, chunk from taken order by position`,
        [id],
      );
    });
    return rows;
  } catch (error) {
    await giveBack(context, id, rows).catch(() => {});
    throw error;
  }
}

async function giveBack(context: JobsContext, id: string, rows: readonly ChunkRow[]): Promise<void> {
  if (rows.length === 0) return;
  const schema = schemaOf(context);
  await context.database.query(
    `with back as (
       insert into ${schema}.job_chunks (job_id, position, chunk) overriding system value
       select id, position, chunk from ${schema}.jobs,
              json_to_recordset($2) as given (position bigint, chunk jsonb) where id = $1
       -- Still there, where it is only unknown whether they were taken.
       on conflict do nothing returning 1)
     select pg_notify($3, $4) where exists (select from back)`,
    [id, JSON.stringify(rows), channelOf(context), newsOf("progressed", id)],
  );
}
