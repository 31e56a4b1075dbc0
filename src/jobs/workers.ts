/** The workers that reported being alive, and how much waits for them; read at most once a second. */
import type { LendOptions } from "../database/database.ts";
import type { Health } from "./contracts.ts";
import { type JobsContext, schemaOf } from "./context.ts";
import { DEFAULT_ENDPOINT } from "./endpoints.ts";
import type { WorkerRecord, WorkerStatus } from "./job.ts";

export interface Fleet {
  workers: Omit<WorkerRecord, "id">[];
  /** Jobs of all endpoints. */
  queued: number;
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
    workers: Fleet["workers"] | null;
  }>(
    `select (select count(*) from ${schema}.jobs where status = 'queued') as queued,
            (select json_agg(json_strip_nulls(json_build_object(
                      'status', status, 'fault', fault, 'endpoints', ${ENDPOINTS})))
              from ${schema}.workers where ${isAlive("$1")}) as workers`,
    [context.settings.leaseMs],
    lending,
  );
  return { queued: counts?.queued ?? 0, workers: counts?.workers ?? [] };
}

/** A worker of an earlier version knows the default endpoint only. */
export const ENDPOINTS = `coalesce(endpoints, jsonb_build_object('${DEFAULT_ENDPOINT}', jsonb_build_object('speed', speed)))`;

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

/** What an endpoint is doing, in the counts that users see. */
export async function readHealth(
  context: JobsContext,
  endpoint: string,
  lending?: LendOptions,
): Promise<Health> {
  const counts = await context.database.query<{ name: string; value: number }>(
    `select name, value from ${schemaOf(context)}.counters where endpoint = $1
     union all
     select status, count(*) from ${schemaOf(context)}.jobs
      where endpoint = $1 and status in ('queued', 'running', 'held') group by status`,
    [endpoint],
    lending,
  );
  const { workers } = await readFleet(context, lending);
  const total = Object.fromEntries(counts.map(({ name, value }) => [name, value]));
  const statuses = workers.flatMap((worker) => statusAt(worker, endpoint) ?? []);
  const having = (status: WorkerStatus): number => statuses.filter((one) => one === status).length;
  return {
    jobs: {
      completed: total["completed"] ?? 0,
      failed: total["failed"] ?? 0,
      // As the state of each of them says.
      inProgress: (total["running"] ?? 0) + (total["held"] ?? 0),
      inQueue: total["queued"] ?? 0,
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

/** What a worker is to an endpoint: nothing if it does not serve it, `unhealthy` if it cannot load its engine. */
export function statusAt(
  { status, endpoints }: Omit<WorkerRecord, "id">,
  endpoint: string,
): WorkerStatus | undefined {
  if (!Object.hasOwn(endpoints, endpoint)) return undefined;
  return endpoints[endpoint]!.isFaulty ? "unhealthy" : status;
}
