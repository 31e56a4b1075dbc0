/**
 * What happens to jobs as time passes: leases run out, ttls pass, retention ends. Every server and worker
 * runs this; whichever comes first does the work, by the database's clock, as far as it can be trusted (clock.ts).
 */
import { setTimeout as delay } from "node:timers/promises";
import { forgetAllowances } from "./allowances.ts";
import { HOUSEKEEPING_MS } from "../database/connections.ts";
import { withOptions } from "../database/database.ts";
import { type Moment, timeOf } from "./clock.ts";
import { type JobsContext, schemaOf } from "./context.ts";
import { endJobs } from "./ending.ts";
import { statusesBefore } from "./job.ts";
import { deleteJobs, deleteSpentSources, forgetResults } from "./pictures.ts";
import { expireReviews } from "./reviews.ts";
import { type PlaceRow, placeOf } from "./rows.ts";
import { createWebhookUpkeep } from "./webhook-deliveries.ts";
import { endAttempt } from "./work-queue.ts";

export interface Maintenance {
  /** Does what is due now. */
  run(): Promise<void>;
  start(): void;
  /** Waits for a run that has begun, some seconds. */
  stop(): Promise<void>;
}

const INTERVAL_MS = 1000;
/** Ticks from one deletion of what nobody needs to the next: nobody waits for it, and it takes ten statements. */
const TIDY_TICKS = 10;
const STOP_MS = 5000;
/** A long poll during which a job's ttl ends reads the job's last state afterwards. */
const GRACE_MS = 10_000;
const WORKER_FORGOTTEN_MS = 60_000;
/** Jobs whose places are restored in one transaction. */
const PLACES_AT_ONCE = 500;
/** The longest that jobs can be queried, by the range of RETOUCH_RETENTION. */
const DELIVERIES_KEPT_MS = 30 * 24 * 60 * 60_000;

export interface MaintenanceOptions {
  /** Deletes the stored image of a job that can no longer run, or whose result nobody can ask for any more. */
  deleteInput: (key: string) => Promise<void>;
  onError: (error: unknown) => void;
}

export function createMaintenance(given: JobsContext, options: MaintenanceOptions): Maintenance {
  const context = { ...given, database: withOptions(given.database, { limitMs: HOUSEKEEPING_MS }) };
  let timer: NodeJS.Timeout | undefined;
  let looking: Promise<void> | undefined;
  let tidying: Promise<void> | undefined;
  let needsRepair = false;
  const keepWebhooks = createWebhookUpkeep(context);

  /** What workers wait for; it does not wait for the deletions. */
  async function look(): Promise<Moment> {
    const moment = await context.clock.look();
    needsRepair ||= moment.isUnsteady;
    if (needsRepair) {
      await repairTimes(context, moment);
      needsRepair = await restorePlaces(context, moment);
    }
    const { isLost, isExpired, isUndecided, isApproved } = await dueNow(given, moment);
    if (isApproved) await restorePlaces(context, moment);
    if (moment.mayJudge && isLost) await recoverLost(context, moment);
    if (moment.mayDelete && isExpired) await expire(context, moment);
    if (moment.mayDelete && isUndecided) await expireReviews(context, moment.nowMs);
    return moment;
  }

  async function tidy(moment: Moment): Promise<void> {
    await deleteSpentSources(context, options, moment);
    if (moment.mayJudge && !context.database.isEmbedded) await forgetAllowances(context.database);
    if (!moment.mayDelete) return;
    await forget(context, moment);
    await keepWebhooks();
  }

  let ticks = 0;
  const tick = (): void => {
    looking ??= look()
      .then((moment) => {
        ticks += 1;
        if (ticks % TIDY_TICKS !== 1) return;
        tidying ??= tidy(moment)
          .catch(options.onError)
          .finally(() => (tidying = undefined));
      })
      .catch(options.onError)
      .finally(() => (looking = undefined));
  };

  return {
    run: async () => tidy(await look()),
    start() {
      timer ??= setInterval(tick, INTERVAL_MS);
    },
    async stop() {
      clearInterval(timer);
      timer = undefined;
      const finished = (looking ?? Promise.resolve()).then(() => tidying);
      await Promise.race([finished, delay(STOP_MS, undefined, { ref: false })]);
    },
  };
}

/** Ends the leases of all running jobs, for the sole owner of a database: their holders are gone. */
export async function abandonLeases(context: JobsContext): Promise<void> {
  const schema = schemaOf(context);
  await context.database.query(
    `update ${schema}.jobs set lease_until = clock_timestamp() - interval '1 second' where status = 'running'`,
  );
  await context.database.query(`delete from ${schema}.workers`);
}

/** Whether there is anything to do at all: mostly there is not, and one statement says so. */
async function dueNow(
  context: JobsContext,
  { nowMs }: Moment,
): Promise<Record<"isLost" | "isExpired" | "isUndecided" | "isApproved", boolean>> {
  const [row] = await context.database.query<{
    is_lost: boolean;
    is_expired: boolean;
    is_undecided: boolean;
    is_approved: boolean;
  }>(
    `select exists (select from ${schemaOf(context)}.jobs
                     where status = 'running' and lease_until < ${timeOf("$1")}) as is_lost,
            exists (select from ${schemaOf(context)}.jobs
                     where status = any($2) and expires_at <= ${timeOf("$1")}) as is_expired,
            exists (select from ${schemaOf(context)}.jobs
                     where status = 'held' and review_until <= ${timeOf("$1")}) as is_undecided,
            exists (select from ${schemaOf(context)}.jobs
                     where status = 'queued' and held is not null
                       and not ${context.queue.isWaiting({ endpoint: "jobs.endpoint", queueId: "queue_id" })}) as is_approved`,
    [nowMs, statusesBefore("timedOut")],
    { isPlannedOnce: true },
  );
  const { is_lost: isLost, is_expired: isExpired, is_undecided: isUndecided, is_approved: isApproved } = row!;
  return { isLost, isExpired, isUndecided, isApproved };
}

/** Recovers jobs whose worker no longer reports being alive. */
async function recoverLost(context: JobsContext, { nowMs }: Moment): Promise<void> {
  await context.database.transaction(async (sql) => {
    const lost = await sql.query<{ id: string; attempt: number; worker_id: string }>(
      `select id, attempt, worker_id from ${schemaOf(context)}.jobs
        where status = 'running' and lease_until < ${timeOf("$1")} for update skip locked`,
      [nowMs],
    );
    for (const { id, attempt, worker_id: workerId } of lost) {
      const times = attempt === 1 ? "once" : `${attempt} times`;
      const error = `The worker was lost while it ran this job, ${times}.`;
      await endAttempt(context, sql, { id, attempt, workerId, error });
    }
  });
}

async function expire(context: JobsContext, { nowMs }: Moment): Promise<void> {
  await context.database.transaction((sql) =>
    endJobs(
      context,
      sql,
      { status: "timedOut", error: "The job's policy.ttl passed before it was done." },
      `expires_at <= ${timeOf("$5")}`,
      [nowMs],
    ),
  );
}

/** Brings times in reach again that were written before the clock was set back. */
async function repairTimes(context: JobsContext, { nowMs }: Moment): Promise<void> {
  const schema = schemaOf(context);
  await context.database.query(
    `update ${schema}.jobs set lease_until = ${timeOf("$1")} + $2 * interval '1 millisecond'
      where status = 'running' and lease_until > ${timeOf("$1")} + $2 * interval '1 millisecond'`,
    [nowMs, context.settings.leaseMs],
  );
  await context.database.query(
    `update ${schema}.jobs set review_until = ${timeOf("$1")} + (review_until - held_at)
      where status = 'held' and held_at > ${timeOf("$1")} + interval '1 second'`,
    [nowMs],
  );
  await context.database.query(
    `update ${schema}.webhook_deliveries
        set next_attempt_at = ${timeOf("$1")} + (next_attempt_at - coalesce(last_attempt_at, created_at)),
            last_attempt_at = case when last_attempt_at is not null then ${timeOf("$1")} end,
            created_at = least(created_at, ${timeOf("$1")})
      where status = 'pending' and coalesce(last_attempt_at, created_at) > ${timeOf("$1")} + interval '1 second'`,
    [nowMs],
  );
}

/**
 * Queues those jobs again that wait for a worker and have lost their place in the queue: a worker takes out what
 * has expired, which is undone where only the clock was wrong.
 * @returns whether there may be more of them
 */
function restorePlaces(context: JobsContext, { nowMs }: Moment): Promise<boolean> {
  const { queue } = context;
  return context.database.transaction(async (sql) => {
    const rows = await sql.query<PlaceRow>(
      `select endpoint, queue_id, is_low_priority, turn from ${schemaOf(context)}.jobs
        where status = 'queued' and not awaits_images and expires_at > ${timeOf("$1")}
          and not ${queue.isWaiting({ endpoint: "jobs.endpoint", queueId: "queue_id" })}
        order by turn, submitted_at limit $2 for update skip locked`,
      [nowMs, PLACES_AT_ONCE],
    );
    // Not waiting, yet there: given up by pg-boss itself.
    await queue.remove(
      sql,
      rows.map((row) => ({ endpoint: row.endpoint, queueId: row.queue_id })),
    );
    for (const row of rows) await queue.send(sql, row.queue_id, placeOf(row));
    return rows.length === PLACES_AT_ONCE;
  });
}

async function forget(context: JobsContext, moment: Moment): Promise<void> {
  const schema = schemaOf(context);
  const { database } = context;
  const { nowMs } = moment;
  await forgetResults(context, moment);
  await deleteJobs(
    context,
    `expires_at < ${timeOf("$1")} - $2 * interval '1 millisecond'
       and coalesce(repeatable_until < ${timeOf("$1")}, true) and ended_at is not null`,
    [nowMs, GRACE_MS],
  );
  await database.query(
    `delete from ${schema}.webhook_deliveries
      where status <> 'pending' and created_at < ${timeOf("$1")} - $2 * interval '1 millisecond'`,
    [nowMs, DELIVERIES_KEPT_MS],
  );
  await database.query(
    `delete from ${schema}.workers where seen_at < ${timeOf("$1")} - $2 * interval '1 millisecond'`,
    [nowMs, WORKER_FORGOTTEN_MS],
  );
}
