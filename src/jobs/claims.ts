/** How a worker takes jobs out of the queue, each in a transaction that also starts its lease. */
import type { LendOptions, Sql } from "../database/database.ts";
import { type JobsContext, schemaOf } from "./context.ts";
import type { LikeOptions } from "./contracts.ts";
import { noted } from "./course.ts";
import type { ClaimedJob, JobEdit, JobResult, KeptState } from "./job.ts";
import { roomForResults } from "./key-use.ts";
import { likenessOf } from "./likeness.ts";
import { counterOfTurn } from "./turns.ts";
import { ENDPOINTS, isAlive } from "./workers.ts";

/**
 * Takes the job that an earlier claim of this worker took, if the answer never came. It has not run yet, so
 * this costs no attempt.
 */
export async function readopt(
  context: JobsContext,
  sql: Sql,
  workerId: string,
): Promise<ClaimedJob | undefined> {
  const [row] = await sql.query<ClaimedRow>(
    `update ${schemaOf(context)}.jobs set lease_until = clock_timestamp() + $2 * interval '1 millisecond'
      where worker_id = $1 and status = 'running' returning ${claimedColumns(schemaOf(context))}`,
    [workerId, context.settings.leaseMs],
  );
  return row && rowToClaimed(context, sql, row);
}

/**
 * Takes queued jobs in order until one can still be run. This locks the queue's row first, while all others
 * lock the job's row first, so it does not wait for the job's row: that would be a deadlock.
 */
export async function claimNext(
  context: JobsContext,
  sql: Sql,
  workerId: string,
  endpoint: string,
): Promise<ClaimedJob | undefined> {
  const { queue, settings } = context;
  const schema = schemaOf(context);
  for (;;) {
    const queueId = await queue.fetch(sql, endpoint);
    if (queueId === undefined) return undefined;
    const [row] = await sql.query<ClaimedRow>(
      `with claimed as (
         update ${schema}.jobs
            set status = 'running', attempt = attempt + 1, worker_id = $2, started_at = clock_timestamp(),
                ${noted("started", { worker: "$2::text", attempt: "attempt + 1" })},
                lease_until = clock_timestamp() + $3 * interval '1 millisecond'
          where id = (select id from ${schema}.jobs where queue_id = $1 for update nowait)
            and status = 'queued' and expires_at > clock_timestamp()
            -- One that an earlier version queued before its picture was there; it comes back with it.
            and not awaits_images
          returning id, endpoint, key_id, attempt, edit, execution_timeout_ms, kept_state, held, turn,
                    is_low_priority),
       round as (
         update ${schema}.counters set value = turn from claimed
          where counters.endpoint = $4 and name = ${counterOfTurn("is_low_priority")} and value < turn)
       select ${claimedColumns(schema)} from claimed`,
      [queueId, workerId, settings.leaseMs, endpoint],
    );
    if (row) return rowToClaimed(context, sql, row);
    await queue.remove(sql, [{ endpoint, queueId }]);
  }
}

/** Whether the next job of an endpoint could run together with `job`. */
export async function isLikeNext(
  context: JobsContext,
  job: ClaimedJob,
  { workerId, leastLimitMs }: LikeOptions,
  lending: LendOptions,
): Promise<boolean> {
  const { database, queue, settings } = context;
  const likeness = likenessOf(job.edit);
  // Whatever ends one of them ends the attempts of all: each must have another.
  if (likeness === undefined || settings.maxAttempts < 2 || !isGroupable(job, leastLimitMs)) return false;
  const queueId = await queue.peek(database, job.endpoint);
  if (queueId === undefined) return false;
  const schema = schemaOf(context);
  const [next] = await database.query<{ edit: JobEdit }>(
    `select edit from ${schema}.jobs
      where queue_id = $1 and status = 'queued' and attempt = 0 and held is null
        and (execution_timeout_ms is null or execution_timeout_ms >= $5)
        and not exists (select from ${schema}.workers
                         where id <> $2 and status = 'idle' and ${isAlive("$3")} and ${ENDPOINTS} ? $4)`,
    [queueId, workerId, settings.leaseMs, job.endpoint, Math.ceil(leastLimitMs)],
    lending,
  );
  return next !== undefined && likenessOf(next.edit) === likeness;
}

/** Ends a transaction in which a job was taken that does not go with the others. */
export class NotLike extends Error {}

/** Takes the next job. @throws NotLike if it is not like `job` */
export async function claimLike(
  context: JobsContext,
  sql: Sql,
  job: ClaimedJob,
  { workerId, leastLimitMs }: LikeOptions,
): Promise<ClaimedJob | undefined> {
  const claimed = await claimNext(context, sql, workerId, job.endpoint);
  if (claimed === undefined) return undefined;
  if (!isGroupable(claimed, leastLimitMs) || likenessOf(claimed.edit) !== likenessOf(job.edit))
    throw new NotLike();
  return claimed;
}

/** Whether it can share a process with others: it is tried for the first time, and has time enough. */
const isGroupable = (
  { attempt, executionTimeoutMs = Infinity, state, approved }: ClaimedJob,
  leastLimitMs: number,
): boolean =>
  attempt === 1 && executionTimeoutMs >= leastLimitMs && state === undefined && approved === undefined;

const claimedColumns = (schema: string): string =>
  `id, endpoint, key_id, attempt, edit, execution_timeout_ms, kept_state, held,
   (select safety_threshold from ${schema}.api_keys where api_keys.id = key_id) as safety_threshold`;

interface ClaimedRow {
  id: string;
  endpoint: string;
  key_id: string;
  attempt: number;
  edit: JobEdit;
  execution_timeout_ms: number | null;
  kept_state: KeptState | null;
  safety_threshold: number | null;
  held: JobResult | null;
}

async function rowToClaimed(
  context: JobsContext,
  sql: Sql,
  {
    execution_timeout_ms: limit,
    kept_state: state,
    key_id: keyId,
    safety_threshold: own,
    held: approved,
    ...row
  }: ClaimedRow,
): Promise<ClaimedJob> {
  const room = await roomForResults(context, sql, { keyId, edit: row.edit });
  const claimed = {
    ...row,
    keyId,
    executionTimeoutMs: limit ?? undefined,
    ...(room && { room }),
    ...(own !== null && { safetyThreshold: own }),
    ...(approved !== null && { approved }),
  };
  return state ? { ...claimed, state: keptStateOf(state) } : claimed;
}

/** Without what only the table needs. */
const keptStateOf = ({ key, step, bytes }: KeptState): KeptState => ({ key, step, bytes });
