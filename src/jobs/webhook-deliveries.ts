/** The rows of webhook deliveries: which are due, what is sent, their outcome, and how long they are kept. */
import { type JobsContext, schemaOf } from "./context.ts";
import type { Job } from "./job.ts";
import { jsonToJob } from "./rows.ts";
import type { Candidate } from "./webhook-places.ts";
import { forgetWebhookSecrets, signingSecrets } from "./webhook-secrets.ts";

/** A delivery that was claimed. */
export interface Due extends Candidate {
  job_id: string;
  message_id: string;
  /** The number of this try, which names the claim. */
  attempts: number;
}

export interface Message {
  /** Cut after {@link MAX_URL_LENGTH}. */
  url: string;
  job: Job;
  /** The secrets that sign it, newest first. */
  secrets: string[];
}

export interface Noted {
  outcome: "delivered" | "pending" | "failed";
  status?: number | undefined;
  problem?: string | undefined;
  /** Until the next try, if there is one. */
  delayMs: number;
}

/** Submissions refuse longer URLs; earlier versions accepted them. */
export const MAX_URL_LENGTH = 8192;
/** Reads only as far as the longest possible host. */
const HOST = "lower(split_part(translate(split_part(left(url, 300), '://', 2), '?#', '//'), '/', 1))";
/** Ended deliveries kept per key. */
const MAX_KEPT = 10_000;
/** Found at once: as many as can be under way. */
const MAX_FOUND = 1024;
/** How long a delivery may wait for its result to be readable. */
const MAX_POSTPONED_MS = 24 * 60 * 60_000;
const UPKEEP_INTERVAL_MS = 60_000;
/** The condition of a claim: another try, or another end, is not this one's to change. */
const CLAIMED = "id = $1 and attempts = $2 and status = 'pending' and job is not null";

/**
 * Finds due deliveries of all keys, at most `limit` of each, those due for the longest time first.
 * @param fullKeys, fullHosts left out; hosts by key
 */
export async function findDue(
  context: JobsContext,
  { limit, fullKeys, fullHosts }: { limit: number; fullKeys: string[]; fullHosts: Record<string, string[]> },
): Promise<Candidate[]> {
  const table = `${schemaOf(context)}.webhook_deliveries`;
  // Goes from key to key, and reads no more of each than it needs: one of them may have very many.
  return context.database.query<Candidate>(
    `with recursive waiting as (
       (select key_id from ${table} where status = 'pending' order by key_id limit 1)
       union all
       select (select key_id from ${table} where status = 'pending' and key_id > waiting.key_id
                order by key_id limit 1)
         from waiting where key_id is not null)
     select due.id, due.key_id, due.host, due.bytes from waiting cross join lateral (
       select id, key_id, ${HOST} as host, next_attempt_at, row_number() over (order by next_attempt_at) as place,
              coalesce(body_bytes, 2 * pg_column_size(job))::bigint as bytes
         from ${table} as delivery
        where delivery.key_id = waiting.key_id and status = 'pending' and job is not null
          and next_attempt_at <= statement_timestamp()
          and not coalesce($3::jsonb -> delivery.key_id, '[]') ? ${HOST}
        order by next_attempt_at limit $1) as due
      where waiting.key_id <> all($2) order by due.place, due.next_attempt_at, due.id limit $4`,
    [limit, fullKeys, JSON.stringify(fullHosts), MAX_FOUND],
  );
}

/** Takes those of the deliveries that are still due, and moves their next time past the end of this try. */
export async function claimDeliveries(
  context: JobsContext,
  { ids, leaseMs }: { ids: readonly number[]; leaseMs: number },
): Promise<Pick<Due, "id" | "job_id" | "message_id" | "attempts">[]> {
  return context.database.query(
    `update ${schemaOf(context)}.webhook_deliveries
        set attempts = attempts + 1, last_attempt_at = clock_timestamp(),
            next_attempt_at = clock_timestamp() + $1 * interval '1 millisecond'
      where id = any($2) and status = 'pending' and job is not null and next_attempt_at <= clock_timestamp()
      returning id, job_id, message_id, attempts`,
    [leaseMs, ids],
  );
}

/**
 * Reads what is sent, anew for each try: a secret takes effect as soon as it is made or revoked.
 * @returns undefined if the claim is over
 */
export async function readMessage(context: JobsContext, due: Due): Promise<Message | undefined> {
  const schema = schemaOf(context);
  const [row] = await context.database.query<{ url: string; job: Parameters<typeof jsonToJob>[0] }>(
    `select left(url, $3) as url, job from ${schema}.webhook_deliveries where ${CLAIMED}`,
    [due.id, due.attempts, MAX_URL_LENGTH + 1],
  );
  if (row === undefined) return undefined;
  const secrets = await signingSecrets(context.database, schema, due.key_id);
  return { url: row.url, job: jsonToJob(row.job), secrets };
}

/** Moves the next time past the end of a try that begins only now. @returns false if the claim is over */
export async function renewDelivery(
  context: JobsContext,
  { id, attempts }: Due,
  leaseMs: number,
): Promise<boolean> {
  const rows = await context.database.query(
    `update ${schemaOf(context)}.webhook_deliveries
        set next_attempt_at = clock_timestamp() + $3 * interval '1 millisecond' where ${CLAIMED} returning id`,
    [id, attempts, leaseMs],
  );
  return rows.length > 0;
}

/** Takes a try back that was not made. @returns false if that has been going on for too long, or the claim is over */
export async function postponeDelivery(
  context: JobsContext,
  { id, attempts }: Due,
  delayMs: number,
): Promise<boolean> {
  const rows = await context.database.query(
    `update ${schemaOf(context)}.webhook_deliveries
        set attempts = attempts - 1, next_attempt_at = clock_timestamp() + $3 * interval '1 millisecond'
      where ${CLAIMED} and created_at > clock_timestamp() - $4 * interval '1 millisecond' returning id`,
    [id, attempts, delayMs, MAX_POSTPONED_MS],
  );
  return rows.length > 0;
}

/**
 * Records what became of a try; after the last one, the stored job is dropped.
 * @returns whether it counts: not if it took longer than its claim, and another try was made or is under way
 */
export async function noteDelivery(
  context: JobsContext,
  { id, attempts }: Due,
  { outcome, status, problem, delayMs }: Noted,
): Promise<boolean> {
  const rows = await context.database.query(
    `update ${schemaOf(context)}.webhook_deliveries
        set status = $3, last_status = $4, last_error = $5, job = case when $3 = 'pending' then job end,
            next_attempt_at = clock_timestamp() + $6 * interval '1 millisecond'
      where ${CLAIMED} returning id`,
    [id, attempts, outcome, status, problem, delayMs],
  );
  return rows.length > 0;
}

/**
 * Deletes what the age limit of deliveries does not cover: all but the newest of each key, those that cannot
 * be sent, and secrets that have ended.
 * @returns a function that does so once a minute, however often it is called
 */
export function createWebhookUpkeep(context: JobsContext): () => Promise<void> {
  const schema = schemaOf(context);
  let next = -Infinity;
  return async () => {
    if (performance.now() < next) return;
    next = performance.now() + UPKEEP_INTERVAL_MS;
    await context.database.query(
      `delete from ${schema}.webhook_deliveries as delivery
        using ${schema}.api_keys, lateral (
          select id from ${schema}.webhook_deliveries where key_id = api_keys.id
           order by id desc offset $1 limit 1) as newest_but
        where delivery.key_id = api_keys.id and delivery.id <= newest_but.id and delivery.status <> 'pending'`,
      [MAX_KEPT],
    );
    // An earlier version let a try that had slept set an ended delivery back to pending: there is nothing to send.
    await context.database.query(
      `delete from ${schema}.webhook_deliveries where status = 'pending' and job is null`,
    );
    await forgetWebhookSecrets(context.database, schema);
  };
}
