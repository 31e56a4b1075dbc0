/** Where a waiting job stands among those of its endpoint, and how long that takes by what the workers have measured. */
import type { EditSpeed } from "../engine/estimate.ts";
import { type JobsContext, schemaOf } from "./context.ts";
import { estimateJobMs } from "./estimate.ts";
import type { QueuePlace } from "./contracts.ts";
import type { JobEdit, JobStatus } from "./job.ts";
import { type Fleet, statusAt } from "./workers.ts";

/** Of the jobs before it, so many are looked at; the others are taken to be like them. */
const MAX_READ = 50;

/** The fastest speed that a worker has measured for an endpoint. */
export function speedOf({ workers }: Fleet, endpoint: string): EditSpeed | undefined {
  const speeds = workers.flatMap(({ endpoints }) => endpoints[endpoint]?.speed ?? []);
  return speeds.toSorted((one, other) => one.stepMs - other.stepMs)[0];
}

/** @returns undefined if this key has no such job */
export async function readPlace(
  context: JobsContext,
  fleet: () => Promise<Fleet>,
  { id, keyId, endpoint }: { id: string; keyId: string; endpoint: string },
): Promise<QueuePlace | undefined> {
  const schema = schemaOf(context);
  const [own] = await context.database.query<{ status: JobStatus; num_ahead: number }>(
    `select own.status, (select count(*) from ${schema}.jobs where ${IS_AHEAD}) as num_ahead
       from ${schema}.jobs as own
      where own.id = $1 and own.key_id = $2 and own.endpoint = $3 and own.expires_at > clock_timestamp()`,
    [id, keyId, endpoint],
  );
  if (own === undefined) return undefined;
  const { status, num_ahead: numAhead } = own;
  if (status !== "queued") return { status, numAhead: 0 };
  const { workers } = await fleet();
  const speed = speedOf({ workers, queued: 0 }, endpoint);
  const working = workers.filter((worker) => ["idle", "running"].includes(statusAt(worker, endpoint) ?? ""));
  if (speed === undefined || working.length === 0) return { status, numAhead };

  const edits = await context.database.query<{ edit: JobEdit; elapsed_ms: number }>(
    `(select jobs.edit, 0::bigint as elapsed_ms from ${schema}.jobs, (select * from ${schema}.jobs where id = $1) as own
       where ${IS_AHEAD} order by ${ORDER} limit $3)
     union all
     (select edit, round(extract(epoch from clock_timestamp() - started_at) * 1000)::bigint from ${schema}.jobs
       where endpoint = $2 and status = 'running' limit $3)`,
    [id, endpoint, MAX_READ],
  );
  const left = edits.map(({ edit, elapsed_ms: elapsedMs }) =>
    Math.max(0, estimateJobMs(speed, edit) - elapsedMs),
  );
  const unread = Math.max(0, numAhead - MAX_READ);
  const sum = left.reduce((total, ms) => total + ms, 0);
  return {
    status,
    numAhead,
    waitMs: Math.round((sum * (1 + unread / Math.max(1, left.length))) / working.length),
  };
}

/** The order in which the queue hands jobs out, as `queue.ts` has it. */
const ORDER = "jobs.is_low_priority, jobs.turn, jobs.submitted_at, jobs.id";
const IS_AHEAD = `jobs.endpoint = own.endpoint and jobs.status = 'queued'
  and (${ORDER}) < (own.is_low_priority, own.turn, own.submitted_at, own.id)`;
