/** The stream of a job: every chunk is handed out once, and put back if it could not be delivered; or read and left. */
import { channelOf, type JobsContext, schemaOf } from "./context.ts";
import type { ReadChunks, TakenChunks, WaitOptions } from "./contracts.ts";
import { newsOf } from "./events.ts";
import { isEnded, type Job, type JobChunk } from "./job.ts";
import { lookUntil, watchJob } from "./wait.ts";

interface ChunkRow {
  position: number;
  chunk: JobChunk;
}

/** How both ways look at a job. */
interface Look {
  context: JobsContext;
  load: () => Promise<Job | undefined>;
  id: string;
}

export async function takeChunks(look: Look, options: WaitOptions): Promise<TakenChunks | undefined> {
  const { context, id } = look;
  const found = await untilChunks(look, options, () => take(context, id));
  if (found === undefined) return undefined;
  const { job, rows } = found;
  return { job, chunks: rows.map(({ chunk }) => chunk), giveBack: () => giveBack(context, id, rows) };
}

export async function readChunks(
  look: Look,
  { after, submitted, ...options }: WaitOptions & { after: number; submitted: Job },
): Promise<ReadChunks | undefined> {
  const { context, id } = look;
  const read = (): Promise<ChunkRow[]> =>
    context.database.query<ChunkRow>(
      `select position, chunk from ${schemaOf(context)}.job_chunks where job_id = $1 and position > $2 order by position`,
      [id, after],
    );
  const found = await untilChunks(look, options, read, { job: submitted, rows: [] });
  if (found === undefined) return undefined;
  const { job, rows } = found;
  return { job, chunks: rows.map(({ chunk }) => chunk), position: rows.at(-1)?.position ?? after };
}

interface JobAndRows {
  job: Job;
  rows: ChunkRow[];
}

/** Looks until there are chunks, or the job has ended. */
async function untilChunks(
  { context, load, id }: Look,
  options: WaitOptions,
  chunks: () => Promise<ChunkRow[]>,
  known?: JobAndRows,
): Promise<JobAndRows | undefined> {
  const watch = watchJob(context.events, id, { ...options, topics: ["changed", "progressed"] });
  try {
    const look = async () => {
      // The state is read first: if the job ends in between, the reply says "still running" with its last
      // chunk, and a client that stops at the first end state misses none.
      const job = await load();
      if (job === undefined) return { isDone: true, found: undefined };
      const rows = await chunks();
      return { isDone: rows.length > 0 || isEnded(job.status), found: { job, rows } };
    };
    return await lookUntil<JobAndRows | undefined>(watch, look, known);
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
