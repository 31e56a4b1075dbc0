/** Submission: writes a job and its place in the queue in one transaction, once per idempotency key. */
import { randomUUID } from "node:crypto";
import type { Sql } from "../database/database.ts";
import { failure, RetouchError } from "../errors.ts";
import { channelOf, type JobsContext, schemaOf } from "./context.ts";
import { firstNoted } from "./course.ts";
import { DEFAULT_ENDPOINT } from "./endpoints.ts";
import { estimateJobMs } from "./estimate.ts";
import { newsOf } from "./events.ts";
import { isAwaited, type Job, type NewJob } from "./job.ts";
import { admitJob, fullOfKey, hasRoom, isNearLimit, type KeyUse, queueLimitOf } from "./key-use.ts";
import { storedRows } from "./pictures.ts";
import { JOB_COLUMNS, type JobRow, rowToJob } from "./rows.ts";
import { nextTurn } from "./turns.ts";
import type { Fleet } from "./workers.ts";

/** What is known about the workers, and about the key that submits. */
export interface Surroundings {
  fleet: () => Promise<Fleet>;
  use: (keyId: string) => Promise<KeyUse>;
}

/** @throws RetouchError IDEMPOTENCY_CONFLICT, QUEUE_FULL, ESTIMATE_TOO_LONG */
export async function submitJob(
  context: JobsContext,
  surroundings: Surroundings,
  request: NewJob & { endpoint: string },
): Promise<{ job: Job; isRepeat: boolean }> {
  const earlier = await findRepeated(context, context.database, request);
  if (earlier) return { job: earlier, isRepeat: true };
  const [seen, use] = await Promise.all([surroundings.fleet(), surroundings.use(request.keyId)]);
  refuseTooLong(request, seen.workers);
  const limit = queueLimitOf(context, seen);
  const exactLimit = isNearLimit(use, limit) ? limit : null;
  admitJob(context, seen, use);

  const id = `${request.isSync ? "sync-" : ""}${randomUUID()}-u1`;
  const queueId = randomUUID();
  return context.database.transaction(async (sql) => {
    // The row of the idempotency key comes first: of two simultaneous submissions, the second waits here for
    // the first.
    while (request.idempotency && !(await reserve(context, sql, request, id))) {
      const job = await findRepeated(context, sql, request);
      if (job) return { job, isRepeat: true };
      // Its job was deleted in between, and the key with it.
    }
    const isWaiting = isAwaited(request.edit);
    const [row] = await sql.query<JobRow & { turn: number }>(
      insertion(schemaOf(context)),
      [
        id,
        request.keyId,
        request.isSync,
        request.policy.isLowPriority,
        JSON.stringify(request.edit),
        request.baseUrl,
        request.webhook,
        request.policy.ttlMs,
        request.policy.executionTimeoutMs,
        request.policy.retentionMs,
        queueId,
        request.idempotency ? context.settings.idempotencyLifetimeMs : null,
        channelOf(context),
        newsOf(isWaiting ? "source" : "queued"),
        exactLimit,
        request.sources.map(({ key }) => key),
        request.sources.map(({ bytes }) => bytes),
        isWaiting,
        request.endpoint,
        request.call && JSON.stringify(request.call),
      ],
      { isPlannedOnce: true },
    );
    if (row === undefined) throw fullOfKey(limit + 1);
    if (!isWaiting) {
      const { endpoint, policy } = request;
      await context.queue.send(sql, queueId, { endpoint, ...policy, turn: row.turn });
    }
    return { job: rowToJob(row), isRepeat: false };
  });
}

const insertion = (schema: string): string => `
  with made as (
    insert into ${schema}.jobs (id, key_id, is_sync, status, is_low_priority, edit, base_url, webhook, ttl_ms,
        execution_timeout_ms, retention_ms, queue_id, repeatable_until, expires_at, turn, awaits_images, endpoint, course,
        call)
    select $1, $2, $3, 'queued', $4, $5, $6, $7, $8, $9, $10, $11,
        clock_timestamp() + $12::bigint * interval '1 millisecond',
        clock_timestamp() + $8::bigint * interval '1 millisecond',
        ${nextTurn(schema, { keyId: "$2", endpoint: "$19", isLowPriority: "$4" })}, $18, $19, ${firstNoted("queued")}, $20
     where ${hasRoom(schema, { keyId: "$2", limit: "$15" })}
    returning *),
  counted as (
    insert into ${schema}.pictures (storage_key, key_id, bytes, job_id)
    select storage_key, $2, bytes, id from made, ${storedRows("$16", "$17")})
  select ${JOB_COLUMNS}, turn, pg_notify($13, $14) from made`;

async function reserve(context: JobsContext, sql: Sql, request: Repeatable, id: string): Promise<boolean> {
  const { key, bodyHash } = request.idempotency!;
  const rows = await sql.query(
    `insert into ${schemaOf(context)}.idempotency_keys (key_id, route, idempotency_key, body_hash, job_id)
     values ($1, $2, $3, $4, $5) on conflict do nothing returning job_id`,
    [request.keyId, routeOf(request), key, bodyHash, id],
    { isPlannedOnce: true },
  );
  return rows.length > 0;
}

type Repeatable = Pick<NewJob, "keyId" | "idempotency"> & { endpoint: string };

/** The same key stands for another job at another endpoint. */
const routeOf = ({ endpoint, idempotency }: Repeatable): string =>
  endpoint === DEFAULT_ENDPOINT ? idempotency!.route : `${endpoint}/${idempotency!.route}`;

/** The job that the idempotency key stands for. @throws RetouchError IDEMPOTENCY_CONFLICT */
export async function findRepeated(
  context: JobsContext,
  sql: Sql,
  request: Repeatable,
): Promise<Job | undefined> {
  if (request.idempotency === undefined) return undefined;
  const { key, bodyHash } = request.idempotency;
  const schema = schemaOf(context);
  const [row] = await sql.query<JobRow & { body_hash: string }>(
    `select ${JOB_COLUMNS.replace(/\bid\b/, "jobs.id").replace("key_id", "jobs.key_id")}, body_hash
       from ${schema}.idempotency_keys join ${schema}.jobs on jobs.id = job_id
      where idempotency_keys.key_id = $1 and route = $2 and idempotency_key = $3`,
    [request.keyId, routeOf(request), key],
    { isPlannedOnce: true },
  );
  if (row && row.body_hash !== bodyHash) {
    throw new RetouchError(
      "IDEMPOTENCY_CONFLICT",
      "Idempotency-Key was used before on this route with another body; a new request needs a new key.",
    );
  }
  return row && rowToJob(row);
}

function refuseTooLong(
  { edit, policy, endpoint }: NewJob & { endpoint: string },
  workers: Fleet["workers"],
): void {
  const { executionTimeoutMs } = policy;
  if (executionTimeoutMs === undefined) return;
  const estimates = workers.flatMap(({ endpoints }) => {
    const { speed } = endpoints[endpoint] ?? {};
    return speed ? [estimateJobMs(speed, edit)] : [];
  });
  // The fastest worker may get it; if none has measured yet, the time limit itself decides.
  const estimate = Math.min(...estimates);
  if (estimates.length > 0 && estimate > executionTimeoutMs) {
    const seconds = (ms: number): string => `${Math.ceil(ms / 1000)} s`;
    throw new RetouchError(
      "ESTIMATE_TOO_LONG",
      failure("estimate", {
        field: "policy.executionTimeout",
        estimate: seconds(estimate),
        limit: seconds(executionTimeoutMs),
      }),
    );
  }
}
