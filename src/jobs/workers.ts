/** The workers that reported being alive, and how much waits for them; read at most once a second. */
import type { LendOptions } from "../database/database.ts";
import type { Health } from "./contracts.ts";
import { type JobsContext, schemaOf } from "./context.ts";
import type { WorkerRecord, WorkerStatus } from "./job.ts";

export interface Fleet {
  workers: Omit<WorkerRecord, "id">[];
  queued: number;
  running: number;
}

const FRESH_MS = 1000;

/**
 * Whether a row of the workers was written within a lease, in SQL. Not one of the future either, which was
 * written before the clock was set back.
 */
export const isAlive = (leaseMs: string, now = "clock_timestamp()"): string =>
  `abs(extract(epoch from ${now} - seen_at) * 1000) < ${leaseMs}`;

/** Reads the fleet now. */
export async function readFleet(context: JobsContext, lending?: LendOptions): Promise<Fleet> {
  const schema = schemaOf(context);
  const [counts] = await context.database.query<{
    queued: number;
    running: number;
    workers: Fleet["workers"] | null;
  }>(
    `select (select count(*) from ${schema}.jobs where status = 'queued') as queued,
            (select count(*) from ${schema}.jobs where status = 'running') as running,
            (select json_agg(json_strip_nulls(json_build_object('status', status, 'fault', fault, 'speed', speed)))
              from ${schema}.workers where ${isAlive("$1")}) as workers`,
    [context.settings.leaseMs],
    lending,
  );
  return { queued: counts?.queued ?? 0, running: counts?.running ?? 0, workers: counts?.workers ?? [] };
}

/** Reads the fleet, or returns what was read within the last second. */
export function createFleetCache(context: JobsContext): () => Promise<Fleet> {
  let readAt = -Infinity;
  let latest: Promise<Fleet> | undefined;
  return () => {
    if (latest === undefined || performance.now() - readAt > FRESH_MS) {
      readAt = performance.now();
      const reading = readFleet(context);
      latest = reading;
      reading.catch(() => {
        if (latest === reading) latest = undefined;
      });
    }
    return latest;
  };
}

/** What the endpoint is doing, in the counts that users see. */
export async function readHealth(context: JobsContext, lending?: LendOptions): Promise<Health> {
  const counters = await context.database.query<{ name: "completed" | "failed" | "retried"; value: number }>(
    `select name, value from ${schemaOf(context)}.counters`,
    [],
    lending,
  );
  const { workers, queued, running } = await readFleet(context, lending);
  const total = Object.fromEntries(counters.map(({ name, value }) => [name, value]));
  const having = (status: WorkerStatus): number =>
    workers.filter((worker) => worker.status === status).length;
  return {
    jobs: {
      completed: total["completed"] ?? 0,
      failed: total["failed"] ?? 0,
      inProgress: running,
      inQueue: queued,
      retried: total["retried"] ?? 0,
    },
    workers: {
      idle: having("idle"),
      initializing: having("initializing"),
      ready: having("idle") + having("running"),
      running: having("running"),
      throttled: 0,
      unhealthy: having("unhealthy"),
    },
  };
}
