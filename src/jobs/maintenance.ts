/**
 * What happens to jobs as time passes: leases run out, ttls pass, retention ends. Every server and worker
 * runs this; whichever comes first does the work, by the database's clock.
 */
import { forgetAllowances } from "./allowances.ts";
import { type JobsContext, schemaOf } from "./context.ts";
import { endJobs } from "./ending.ts";
import { deleteJobs, deleteSpentSources, forgetResults } from "./pictures.ts";
import { createWebhookUpkeep } from "./webhook-deliveries.ts";
import { endAttempt } from "./work-queue.ts";

export interface Maintenance {
  /** Does what is due now. */
  run(): Promise<void>;
  start(): void;
  /** Waits for a run that has begun. */
  stop(): Promise<void>;
}

const INTERVAL_MS = 1000;
/** A long poll during which a job's ttl ends reads the job's last state afterwards. */
const GRACE_MS = 10_000;
const WORKER_FORGOTTEN_MS = 60_000;
/** The longest that jobs can be queried, by the range of RETOUCH_RETENTION. */
const DELIVERIES_KEPT_MS = 30 * 24 * 60 * 60_000;

export interface MaintenanceOptions {
  /** Deletes the stored image of a job that can no longer run, or whose result nobody can ask for any more. */
  deleteInput: (key: string) => Promise<void>;
  onError: (error: unknown) => void;
}

export function createMaintenance(context: JobsContext, options: MaintenanceOptions): Maintenance {
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> | undefined;
  const keepWebhooks = createWebhookUpkeep(context);

  async function run(): Promise<void> {
    await recoverLost(context);
    await expire(context);
    await deleteSpentSources(context, options);
    await forget(context);
    await keepWebhooks();
  }
  const tick = (): void => {
    running ??= run()
      .catch(options.onError)
      .finally(() => {
        running = undefined;
      });
  };

  return {
    run,
    start() {
      timer ??= setInterval(tick, INTERVAL_MS);
    },
    async stop() {
      clearInterval(timer);
      timer = undefined;
      await running;
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

/** Recovers jobs whose worker no longer reports being alive. */
async function recoverLost(context: JobsContext): Promise<void> {
  await context.database.transaction(async (sql) => {
    const lost = await sql.query<{ id: string; attempt: number; worker_id: string }>(
      `select id, attempt, worker_id from ${schemaOf(context)}.jobs
        where status = 'running' and lease_until < clock_timestamp() for update skip locked`,
    );
    for (const { id, attempt, worker_id: workerId } of lost) {
      const times = attempt === 1 ? "once" : `${attempt} times`;
      const error = `The worker was lost while it ran this job, ${times}.`;
      await endAttempt(context, sql, { id, attempt, workerId, error });
    }
  });
}

async function expire(context: JobsContext): Promise<void> {
  await context.database.transaction((sql) =>
    endJobs(
      context,
      sql,
      { status: "timedOut", error: "The job's policy.ttl passed before it was done." },
      "expires_at <= clock_timestamp()",
      [],
    ),
  );
}

async function forget(context: JobsContext): Promise<void> {
  const schema = schemaOf(context);
  const { database } = context;
  await forgetResults(context);
  if (!database.isEmbedded) await forgetAllowances(database);
  await deleteJobs(
    context,
    `expires_at < clock_timestamp() - $1 * interval '1 millisecond'
       and coalesce(repeatable_until < clock_timestamp(), true) and ended_at is not null`,
    [GRACE_MS],
  );
  await database.query(
    `delete from ${schema}.webhook_deliveries
      where status <> 'pending' and created_at < clock_timestamp() - $1 * interval '1 millisecond'`,
    [DELIVERIES_KEPT_MS],
  );
  await database.query(
    `delete from ${schema}.workers where seen_at < clock_timestamp() - $1 * interval '1 millisecond'`,
    [WORKER_FORGOTTEN_MS],
  );
}
