/** The rows of webhooks to be delivered: which are due, what is sent, what became of it, and how long it is kept. */
import { type JobsContext, schemaOf } from "./context.ts";
import type { Job } from "./job.ts";
import { jsonToJob } from "./rows.ts";
import { forgetWebhookSecrets, signingSecrets } from "./webhook-secrets.ts";

/** A delivery that is due, and the number of its try. */
export interface Due {
  id: number;
  job_id: string;
  key_id: string;
  message_id: string;
  /** Of the receiver, with its port; nothing where the address is spelled oddly. */
  host: string;
  attempts: number;
}

export interface Message {
  /** Cut behind {@link MAX_URL_LENGTH}. */
  url: string;
  job: Job;
  /** What signs it, the newest first. */
  secrets: string[];
}

export interface Noted {
  outcome: "delivered" | "pending" | "failed";
  status?: number | undefined;
  problem?: string | undefined;
  /** Until the next try, where there is one. */
  delayMs: number;
}

/** Submissions take no longer ones; versions before this one did. */
export const MAX_URL_LENGTH = 8192;
/** Longer ones than any host are not read to their end. */
const HOST = "coalesce(lower(substring(left(url, 300) from '^[^:]+://([^/?#]*)')), '')";
/** One receiver that hangs must not take all the places, and neither must one key with many such receivers. */
const MAX_PER_HOST = 4;
const MAX_PER_KEY = 16;
/** Of one key, that have ended. */
const MAX_KEPT = 10_000;
const UPKEEP_INTERVAL_MS = 60_000;

/**
 * Takes what is due, of keys with few tries under way first, and pushes its next time behind this try's end.
 * @param hosts, keys tries under way in this process
 */
export async function claimDeliveries(
  context: JobsContext,
  options: {
    room: number;
    leaseMs: number;
    hosts: ReadonlyMap<string, number>;
    keys: ReadonlyMap<string, number>;
  },
): Promise<Due[]> {
  const table = `${schemaOf(context)}.webhook_deliveries`;
  const asJson = (counts: ReadonlyMap<string, number>): string => JSON.stringify(Object.fromEntries(counts));
  return context.database.query<Due>(
    `update ${table}
        set attempts = attempts + 1, last_attempt_at = clock_timestamp(),
            next_attempt_at = clock_timestamp() + $1 * interval '1 millisecond'
      where id in (
        select id from (
          select id, coalesce(($4::jsonb ->> key_id)::integer, 0)
                     + row_number() over (partition by key_id order by id) as place
            from (
              select id, key_id, host, row_number() over (partition by host order by id) as place
                from (
                  select id, key_id, ${HOST} as host from ${table}
                   where status = 'pending' and next_attempt_at <= clock_timestamp()) as due) as of_hosts
           where place <= $2 - coalesce(($3::jsonb ->> host)::integer, 0)) as of_keys
         where place <= $5 order by place, id limit $6)
        and status = 'pending' and next_attempt_at <= clock_timestamp()
      returning id, job_id, key_id, message_id, ${HOST} as host, attempts`,
    [options.leaseMs, MAX_PER_HOST, asJson(options.hosts), asJson(options.keys), MAX_PER_KEY, options.room],
  );
}

/**
 * What is sent. Read for each try by itself: a job may hold its picture, and a secret counts from the moment that it is
 * made or revoked.
 */
export async function readMessage(context: JobsContext, { id, key_id }: Due): Promise<Message | undefined> {
  const schema = schemaOf(context);
  const [row] = await context.database.query<{ url: string; job: Parameters<typeof jsonToJob>[0] }>(
    `select left(url, $2) as url, job from ${schema}.webhook_deliveries where id = $1 and job is not null`,
    [id, MAX_URL_LENGTH + 1],
  );
  if (row === undefined) return undefined;
  const secrets = await signingSecrets(context.database, schema, key_id);
  return { url: row.url, job: jsonToJob(row.job), secrets };
}

/** Writes down what became of a try; of one that is no more to be made again, the job goes. */
export async function noteDelivery(
  context: JobsContext,
  { id }: Due,
  { outcome, status, problem, delayMs }: Noted,
): Promise<void> {
  await context.database.query(
    `update ${schemaOf(context)}.webhook_deliveries
        set status = $2, last_status = $3, last_error = $4, job = case when $2 = 'pending' then job end,
            next_attempt_at = clock_timestamp() + $5 * interval '1 millisecond'
      where id = $1`,
    [id, outcome, status, problem, delayMs],
  );
}

/**
 * What time does beside the days that deliveries are kept: of each key, all but the newest go, and secrets that have
 * ended. @returns a function that does so once a minute, however often it is called
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
    await forgetWebhookSecrets(context.database, schema);
  };
}
