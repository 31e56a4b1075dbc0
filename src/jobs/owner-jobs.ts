/** The jobs as the owner of an API key sees them: what the routes of the server call. */
import { channelOf, type JobsContext, schemaOf } from "./context.ts";
import type { Jobs } from "./contracts.ts";
import { RetouchError } from "../errors.ts";
import { randomUUID } from "node:crypto";
import { DEFAULT_ENDPOINT } from "./endpoints.ts";
import { noted } from "./course.ts";
import { endJobs } from "./ending.ts";
import { newsOf } from "./events.ts";
import { isEnded, type Job, statusesBefore } from "./job.ts";
import { admitBytes, admitJob, createKeyUses, fullOfKey, hasRoom, queueLimitOf } from "./key-use.ts";
import { findChain, readChain } from "./lineage.ts";
import { readPlace, speedOf } from "./place.ts";
import { listDeliveries, listUsage } from "./records.ts";
import { JOB_COLUMNS, type JobRow, rowToJob } from "./rows.ts";
import { readChunks, takeChunks } from "./stream.ts";
import { findRepeated, submitJob, type Surroundings } from "./submit.ts";
import { nextTurn } from "./turns.ts";
import { lookUntil, watchJob } from "./wait.ts";
import { createFleetCache, readHealth } from "./workers.ts";

/** Monitoring systems give up soon themselves. */
const HEALTH_MS = 5000;
const ALIVE = "expires_at > clock_timestamp()";

/** What the endpoints of one server share: what they read at most once a second. */
export function createSurroundings(context: JobsContext): Surroundings {
  return { fleet: createFleetCache(context), use: createKeyUses(context) };
}

/** @param endpoint as the database has it: `endpoints.ts` */
export function createJobs(
  context: JobsContext,
  endpoint = DEFAULT_ENDPOINT,
  { fleet, use } = createSurroundings(context),
): Jobs {
  const { database, queue, events } = context;
  const schema = schemaOf(context);

  async function load(id: string, keyId: string, condition = ALIVE): Promise<Job | undefined> {
    const [row] = await database.query<JobRow>(
      `select ${JOB_COLUMNS} from ${schema}.jobs where id = $1 and key_id = $2 and endpoint = $3 and ${condition}`,
      [id, keyId, endpoint],
      { isPlannedOnce: true },
    );
    return row && rowToJob(row);
  }

  return {
    submit: (job) => submitJob(context, { fleet, use }, { ...job, endpoint }),
    findRepeated: (keyId, idempotency) => findRepeated(context, database, { keyId, idempotency, endpoint }),
    admitBytes: async (keyId, bytes) => admitBytes(context, await use(keyId), bytes),
    find: (id, keyId) => load(id, keyId),
    chainOf: (id, keyId) => readChain(context, database, { keyId, endpoint }, id),
    chainOfResult: (name, keyId) => findChain(context, database, { keyId, endpoint }, name),

    async waitForEnd(id, keyId, options) {
      const watch = watchJob(events, id, { ...options, topics: ["changed"] });
      try {
        return await lookUntil(
          watch,
          async (isFirst) => {
            // Its ttl may just have ended it: the waiting caller learns how before it is gone.
            const found = await load(id, keyId, isFirst ? ALIVE : "true");
            return { isDone: found === undefined || isEnded(found.status), found };
          },
          options.submitted,
        );
      } finally {
        watch.close();
      }
    },

    takeChunks: (id, keyId, options) => takeChunks({ context, load: () => load(id, keyId), id }, options),
    readChunks: (id, keyId, options) => readChunks({ context, load: () => load(id, keyId), id }, options),

    async shortenRetention(id, keyId, ttlMs) {
      await database.query(
        `update ${schema}.jobs set expires_at = least(expires_at, clock_timestamp() + $3 * interval '1 millisecond')
          where id = $1 and key_id = $2 and endpoint = $4 and ended_at is not null`,
        [id, keyId, ttlMs, endpoint],
      );
      return load(id, keyId);
    },

    async cancel(id, keyId) {
      const [cancelled] = await database.transaction((sql) =>
        endJobs(
          context,
          sql,
          { status: "cancelled" },
          `id = $5 and key_id = $6 and endpoint = $7 and ${ALIVE}`,
          [id, keyId, endpoint],
        ),
      );
      return cancelled ?? load(id, keyId);
    },

    async retry(id, keyId) {
      const found = await load(id, keyId);
      if (found === undefined) return undefined;
      if (!statusesBefore("queued").includes(found.status) || !isEnded(found.status)) throw notRetryable();
      const [seen, own] = await Promise.all([fleet(), use(keyId)]);
      admitBytes(context, own, 0);
      admitJob(context, seen, own);
      const limit = queueLimitOf(context, seen);
      const queueId = randomUUID();
      const retried = await database.transaction(async (sql) => {
        const [row] = await sql.query<
          JobRow & { is_low_priority: boolean; turn: number; awaits_images: boolean }
        >(
          `with queued as (
             update ${schema}.jobs
                set status = 'queued', queue_id = $3, attempt = 0, retries = retries + 1,
                    submitted_at = clock_timestamp(), started_at = null, ended_at = null, worker_id = null,
                    progress = null, result = null, error = null, failure = null, safety = null,
                    held_at = null, review_until = null, ${noted("retried")}, source_worker = null, source_tries = 0,
                    turn = ${nextTurn(schema, { keyId: "$2", endpoint: "$9", isLowPriority: "jobs.is_low_priority" })},
                    expires_at = clock_timestamp() + ttl_ms * interval '1 millisecond'
              where id = $1 and key_id = $2 and endpoint = $9 and ${ALIVE} and ended_at is not null and status = any($4)
                and ${hasRoom(schema, { keyId: "$2", limit: "$8" })}
              returning *),
           dropped as (delete from ${schema}.job_chunks using queued where job_id = queued.id),
           counted as (update ${schema}.counters set value = value + 1
                        where endpoint = $9 and name = 'retried' and exists (select from queued))
           select ${JOB_COLUMNS}, is_low_priority, turn, awaits_images,
                  pg_notify($5, $6), pg_notify($5, $7) from queued`,
          [
            id,
            keyId,
            queueId,
            statusesBefore("queued"),
            channelOf(context),
            newsOf("queued"),
            newsOf("source"),
            limit,
            endpoint,
          ],
        );
        if (row && !row.awaits_images) {
          await queue.send(sql, queueId, { endpoint, isLowPriority: row.is_low_priority, turn: row.turn });
        }
        return row && rowToJob(row);
      });
      if (retried) return retried;
      // Something happened in between: another retry, its end, or jobs of another server.
      const job = await load(id, keyId);
      if (job && isEnded(job.status)) throw fullOfKey(limit + 1);
      if (job) throw notRetryable();
      return undefined;
    },

    async purge(keyId) {
      const purged = await database.transaction((sql) =>
        endJobs(
          context,
          sql,
          { status: "cancelled" },
          "status = 'queued' and key_id = $5 and endpoint = $6",
          [keyId, endpoint],
        ),
      );
      return purged.length;
    },

    async list(keyId, { offset, limit }) {
      const [count] = await database.query<{ total: number }>(
        `select count(*) as total from ${schema}.jobs where key_id = $1 and endpoint = $2 and ${ALIVE}`,
        [keyId, endpoint],
      );
      const rows = await database.query<JobRow>(
        `select ${JOB_COLUMNS} from ${schema}.jobs where key_id = $1 and endpoint = $2 and ${ALIVE}
          order by submitted_at desc, id offset $3 limit $4`,
        [keyId, endpoint, offset, limit],
      );
      return { jobs: rows.map(rowToJob), total: count?.total ?? 0 };
    },

    place: (id, keyId) => readPlace(context, fleet, { id, keyId, endpoint }),
    speed: async () => speedOf(await fleet(), endpoint),
    health: () => readHealth(context, endpoint, { limitMs: HEALTH_MS }),
    usage: (keyId, range) => listUsage(context, { keyId, endpoint }, range),
    deliveries: (keyId, page) => listDeliveries(context, { keyId, endpoint }, page),
  };
}

const notRetryable = (): RetouchError =>
  new RetouchError("NOT_RETRYABLE", "Only failed and timed-out jobs can be retried.");
