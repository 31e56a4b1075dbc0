/** What an operator sees of all keys: who waits, who works, what is stored, and the course of a job. */
import { type JobsContext, schemaOf } from "./context.ts";
import type { CourseEntry } from "./course.ts";
import type { WebhookDelivery } from "./contracts.ts";
import type { JobProgress, JobStatus, ServedEndpoint, WorkerFault, WorkerStatus } from "./job.ts";
import { listJobDeliveries } from "./records.ts";
import type { SafetyRecord } from "./safety-record.ts";
import { ENDPOINTS, isAlive } from "./workers.ts";

/** The jobs of a key at an endpoint that have not ended; keys without any are left out. */
export interface KeyQueue {
  keyId: string;
  keyName?: string | undefined;
  /** As the database has it: `endpoints.ts`. */
  endpoint: string;
  queued: number;
  running: number;
  held: number;
  /** Since when the job waits that waits longest. */
  oldestAt?: Date | undefined;
}

export interface WorkerNow {
  id: string;
  status: WorkerStatus;
  fault?: WorkerFault | undefined;
  seenAt: Date;
  /** The job that it runs. */
  jobId?: string | undefined;
  /** By name, as the database has it. */
  endpoints: Readonly<Record<string, ServedEndpoint>>;
}

/** What a key has used: counted as its quota and its bill count. */
export interface KeyUsed {
  /** Of its pictures that are stored now. */
  bytes: number;
  /** Edits of the last 30 days. */
  completed: number;
  failed: number;
  cost: number;
}

export interface StoredKind {
  /** As in storage keys: inputs, outputs, inline, states. */
  kind: string;
  files: number;
  bytes: number;
}

/** A job without anything of its pictures and instructions. */
export interface JobCourse {
  id: string;
  keyId: string;
  keyName?: string | undefined;
  endpoint: string;
  status: JobStatus;
  progress?: Omit<JobProgress, "preview"> | undefined;
  safety?: SafetyRecord | undefined;
  /** Oldest first. */
  course: readonly CourseEntry[];
  /** Of its webhooks, oldest first. */
  deliveries: readonly WebhookDelivery[];
}

export interface Operations {
  /** At most {@link MOST_ROWS}, longest queues first. */
  queues(): Promise<KeyQueue[]>;
  /** Those that are alive. */
  workers(): Promise<WorkerNow[]>;
  /** By key; keys that used nothing are left out. */
  used(): Promise<ReadonlyMap<string, KeyUsed>>;
  stored(): Promise<StoredKind[]>;
  /** Of the tables and their indexes, of jobs and their queue. */
  databaseBytes(): Promise<number>;
  /** Any key's job that is still kept. */
  course(jobId: string): Promise<JobCourse | undefined>;
}

export const MOST_ROWS = 1000;
const USED_DAYS = 30;

export function createOperations(context: JobsContext): Operations {
  const { database, settings } = context;
  const schema = schemaOf(context);
  return {
    async queues() {
      const rows = await database.query<{
        key_id: string;
        name: string | null;
        endpoint: string;
        queued: number;
        running: number;
        held: number;
        oldest_at: Date | null;
      }>(
        `select key_id, name, endpoint, queued, running, held, oldest_at from (
           select key_id, endpoint, count(*) filter (where status = 'queued') as queued,
                  count(*) filter (where status = 'running') as running,
                  count(*) filter (where status = 'held') as held,
                  min(submitted_at) filter (where status = 'queued') as oldest_at
             from ${schema}.jobs where status in ('queued', 'running', 'held') group by key_id, endpoint) as counts
           left join ${schema}.api_keys on api_keys.id = key_id
          order by queued desc, running desc, key_id, endpoint limit ${MOST_ROWS}`,
      );
      return rows.map((row) => ({
        keyId: row.key_id,
        keyName: row.name ?? undefined,
        endpoint: row.endpoint,
        queued: row.queued,
        running: row.running,
        held: row.held,
        oldestAt: row.oldest_at ?? undefined,
      }));
    },

    async workers() {
      const rows = await database.query<{
        id: string;
        status: WorkerStatus;
        fault: WorkerFault | null;
        seen_at: Date;
        endpoints: WorkerNow["endpoints"];
        job_id: string | null;
      }>(
        `select id, status, fault, seen_at, ${ENDPOINTS} as endpoints,
                (select jobs.id from ${schema}.jobs where jobs.status = 'running' and worker_id = workers.id
                  limit 1) as job_id
           from ${schema}.workers where ${isAlive("$1")} order by id limit ${MOST_ROWS}`,
        [settings.leaseMs],
      );
      return rows.map((row) => ({
        id: row.id,
        status: row.status,
        fault: row.fault ?? undefined,
        seenAt: row.seen_at,
        jobId: row.job_id ?? undefined,
        endpoints: row.endpoints,
      }));
    },

    async used() {
      const rows = await database.query<{
        key_id: string;
        bytes: string | null;
        completed: number | null;
        failed: number | null;
        cost: string | null;
      }>(
        `select coalesce(stored.key_id, edits.key_id) as key_id, bytes, completed, failed, cost
           from (select key_id, sum(bytes) as bytes from ${schema}.pictures group by key_id) as stored
           full join (
             select key_id, count(*) filter (where is_completed) as completed,
                    count(*) filter (where not is_completed) as failed, sum(cost) as cost
               from ${schema}.usage where ended_at > clock_timestamp() - ${USED_DAYS} * interval '1 day'
              group by key_id) as edits on edits.key_id = stored.key_id`,
      );
      return new Map(
        rows.map((row) => [
          row.key_id,
          {
            bytes: Number(row.bytes ?? 0),
            completed: row.completed ?? 0,
            failed: row.failed ?? 0,
            cost: Number(row.cost ?? 0),
          },
        ]),
      );
    },

    async stored() {
      const rows = await database.query<{ kind: string; files: number; bytes: string }>(
        `select split_part(storage_key, '/', 1) as kind, count(*) as files, sum(bytes) as bytes
           from ${schema}.pictures group by 1 order by 1`,
      );
      return rows.map(({ kind, files, bytes }) => ({ kind, files, bytes: Number(bytes) }));
    },

    async databaseBytes() {
      const [row] = await database.query<{ bytes: string | null }>(
        `select sum(pg_total_relation_size(pg_class.oid)) as bytes
           from pg_class join pg_namespace on pg_namespace.oid = relnamespace
          where nspname = any($1) and relkind in ('r', 'm')`,
        [[database.schema, `${database.schema}_queue`]],
      );
      return Number(row?.bytes ?? 0);
    },

    async course(jobId) {
      const [row] = await database.query<{
        id: string;
        key_id: string;
        name: string | null;
        endpoint: string;
        status: JobStatus;
        progress: JobProgress | null;
        safety: SafetyRecord | null;
        course: CourseEntry[];
      }>(
        `select jobs.id, key_id, name, endpoint, status, progress - 'preview' as progress, safety, course
           from ${schema}.jobs left join ${schema}.api_keys on api_keys.id = key_id where jobs.id = $1`,
        [jobId],
      );
      if (row === undefined) return undefined;
      const { key_id: keyId, name, progress, safety, ...rest } = row;
      return {
        ...rest,
        keyId,
        keyName: name ?? undefined,
        progress: progress ?? undefined,
        safety: safety ?? undefined,
        deliveries: await listJobDeliveries(context, { keyId, jobId }),
      };
    },
  };
}
