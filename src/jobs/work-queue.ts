/**
 * The jobs as a worker sees them. Every call names the attempt, so that a worker given up as lost cannot
 * touch its successor's attempt.
 */
import type { LendOptions, Sql } from "../database/database.ts";
import { WITHOUT_SYNC } from "../database/durability.ts";
import { claimLike, claimNext, isLikeNext, NotLike, readopt } from "./claims.ts";
import { channelOf, type JobsContext, schemaOf } from "./context.ts";
import type { WorkQueue } from "./contracts.ts";
import { DEFAULT_ENDPOINT } from "./endpoints.ts";
import { endJobs } from "./ending.ts";
import { noted } from "./course.ts";
import { holdJob } from "./hold.ts";
import { newsOf } from "./events.ts";
import type { ClaimedJob, JobChunk } from "./job.ts";
import { type PlaceRow, placeOf } from "./rows.ts";
import { createSources } from "./sources.ts";
import { isFurther, KEEPING_STATE, keepState } from "./states.ts";

/** SQLSTATE for a row that another transaction has locked, if the statement does not wait. */
const LOCKED = "55P03";
/** For a sign of life, however short the lease is. */
const MIN_VITAL_MS = 1000;
const OWNED = "id = $1 and attempt = $2 and worker_id = $3 and status = 'running'";

export function createWorkQueue(context: JobsContext): WorkQueue {
  const { database, events, settings } = context;
  // Signs of life and claims start or keep a lease: after silence there must be time for another try.
  const vital: LendOptions = { isVital: true, limitMs: Math.max(settings.leaseMs / 2, MIN_VITAL_MS) };
  /** Workers whose latest claim got no answer: it may have been done. */
  const undecided = new Set<string>();
  const schema = schemaOf(context);
  const ownerOf = (job: ClaimedJob, workerId: string): unknown[] => [job.id, job.attempt, workerId];

  return {
    async report({ id, status, fault, endpoints }) {
      // Servers of earlier versions read the default endpoint's speed from a column of its own.
      const speed = endpoints[DEFAULT_ENDPOINT]?.speed;
      await database.query(
        `insert into ${schema}.workers (id, status, fault, speed, endpoints, seen_at)
           select $1, $2, $3, $4::jsonb, $5::jsonb, clock_timestamp() where ${WITHOUT_SYNC}
         on conflict (id) do update
           set status = $2, fault = $3, speed = $4, endpoints = $5, seen_at = clock_timestamp()`,
        [id, status, fault, speed && JSON.stringify(speed), JSON.stringify(endpoints)],
        { isPlannedOnce: true, ...vital },
      );
    },

    async leave(workerId) {
      await database.query(`delete from ${schema}.workers where id = $1`, [workerId]);
    },

    nextEndpoint: (endpoints) => context.queue.nextEndpoint(database, endpoints),

    isLikeNext: (job, options) => isLikeNext(context, job, options, vital),

    async claimLike(job, options) {
      const { workerId } = options;
      try {
        return await database.transaction((sql) => claimLike(context, sql, job, options), vital);
      } catch (error) {
        if (error instanceof NotLike) return undefined;
        // The worker's next claim readopts it.
        if ((error as { code?: string }).code === "COMMIT_UNDECIDED") undecided.add(workerId);
        if ((error as { code?: string }).code === LOCKED) return undefined;
        throw error;
      }
    },

    async claim(workerId, endpoint = DEFAULT_ENDPOINT) {
      try {
        const claimed = await database.transaction(
          async (sql) =>
            (undecided.has(workerId) ? await readopt(context, sql, workerId) : undefined) ??
            claimNext(context, sql, workerId, endpoint),
          vital,
        );
        undecided.delete(workerId);
        return claimed;
      } catch (error) {
        if ((error as { code?: string }).code === "COMMIT_UNDECIDED") undecided.add(workerId);
        // The next job is just being cancelled, or its ttl is ending: the next call looks at it again.
        if ((error as { code?: string }).code === LOCKED) return undefined;
        throw error;
      }
    },

    ...createSources(context),

    onQueued: (listener) => events.on("queued", undefined, listener),
    onChanged: (jobId, listener) => events.on("changed", jobId, listener),

    async renew(job, workerId) {
      const rows = await database.query(
        `update ${schema}.jobs set lease_until = clock_timestamp() + $4 * interval '1 millisecond'
          where ${OWNED} and ${WITHOUT_SYNC} returning id`,
        [...ownerOf(job, workerId), settings.leaseMs],
        { isPlannedOnce: true, ...vital },
      );
      return rows.length > 0;
    },

    async progress(job, workerId, progress) {
      const chunk: JobChunk = { kind: "progress", progress };
      const rows = await database.query(
        `with running as (update ${schema}.jobs set progress = $4
                           where ${OWNED} and ${WITHOUT_SYNC} returning id),
              made as (insert into ${schema}.job_chunks (job_id, chunk) select id, $5 from running)
         select pg_notify($6, $7) from running`,
        [
          ...ownerOf(job, workerId),
          JSON.stringify(progress),
          JSON.stringify(chunk),
          channelOf(context),
          newsOf("progressed", job.id),
        ],
        { isPlannedOnce: true },
      );
      return rows.length > 0;
    },

    keepState: (job, workerId, state) => keepState(context, job, workerId, state),

    async finish(job, workerId, outcome) {
      const owner = ownerOf(job, workerId);
      return database.transaction(async (sql) => {
        if (outcome.status === "held") return holdJob(context, sql, owner, outcome);
        const mine = "id = $5 and attempt = $6 and worker_id = $7";
        return (await endJobs(context, sql, outcome, mine, owner)).length > 0;
      });
    },

    fail: (job, workerId, error) =>
      database.transaction((sql) => endAttempt(context, sql, { ...job, workerId, error })),

    async handBack(job, workerId) {
      return database.transaction(async (sql) =>
        requeue(context, sql, { ...job, workerId, attemptsUsed: job.attempt - 1 }),
      );
    },
  };
}

interface Attempt {
  id: string;
  attempt: number;
  workerId: string;
}

/**
 * Ends an attempt without a result: the job is queued again while attempts are left, otherwise fails. It keeps
 * its place: most crashes are not the job's own doing, and its attempts bound those that are.
 */
export async function endAttempt(
  context: JobsContext,
  sql: Sql,
  attempt: Attempt & { error: string },
): Promise<boolean> {
  if (await isFurther(context, sql, attempt)) {
    return requeue(context, sql, { ...attempt, attemptsUsed: attempt.attempt - 1 });
  }
  if (attempt.attempt < context.settings.maxAttempts) {
    return requeue(context, sql, { ...attempt, attemptsUsed: attempt.attempt });
  }
  const ended = await endJobs(
    context,
    sql,
    { status: "failed", error: attempt.error },
    "id = $5 and attempt = $6 and worker_id = $7",
    [attempt.id, attempt.attempt, attempt.workerId],
  );
  return ended.length > 0;
}

/** Queues the job again where it was: in the same turn, before all that was sent after it. */
async function requeue(
  context: JobsContext,
  sql: Sql,
  { id, attempt, workerId, attemptsUsed, error: reason }: Attempt & { attemptsUsed: number; error?: string },
): Promise<boolean> {
  const schema = schemaOf(context);
  const [row] = await sql.query<PlaceRow>(
    `with queued as (
       update ${schema}.jobs
          set status = 'queued', attempt = $4, started_at = null, worker_id = null, lease_until = null,
              ${KEEPING_STATE}, ${noted("givenBack", { worker: "$3::text", attempt: "$2::integer", reason: "$8::text" })}
        where ${OWNED} returning id, endpoint, is_low_priority, turn, queue_id),
     dropped as (delete from ${schema}.job_chunks using queued where job_id = queued.id)
     select endpoint, is_low_priority, turn, queue_id, pg_notify($5, $6), pg_notify($5, $7) from queued`,
    [
      id,
      attempt,
      workerId,
      attemptsUsed,
      channelOf(context),
      newsOf("queued"),
      newsOf("changed", id),
      reason,
    ],
  );
  if (row === undefined) return false;
  await context.queue.giveBack(sql, row.queue_id, placeOf(row));
  return true;
}
