/** The rows of webhook deliveries: which are due, what is sent, their outcome, and how long they are kept. */
import { type JobsContext, schemaOf } from "./context.ts";
import type { Job } from "./job.ts";
import { jsonToJob } from "./rows.ts";
import { forgetWebhookSecrets, signingSecrets } from "./webhook-secrets.ts";

/** A delivery that is due, with the number of this try. */
export interface Due {
  id: number;
  job_id: string;
  key_id: string;
  message_id: string;
  /** Host of the receiver, with its port; empty if the URL is oddly spelled. */
  host: string;
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
const HOST = "coalesce(lower(substring(left(url, 300) from '^[^:]+://([^/?#]*)')), '')";
/** Neither a single receiver that hangs nor one key with many such receivers may take all the places. */
const MAX_PER_HOST = 4;
const MAX_PER_KEY = 16;
/** Ended deliveries kept per key. */
const MAX_KEPT = 10_000;
const UPKEEP_INTERVAL_MS = 60_000;

/**
 * Takes what is due, keys with few tries under way first, and moves their next time past the end of this try.
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
 * Reads what is sent, anew for each try: a job may hold its image, and a secret takes effect as soon as it is
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

/** Records what became of a try; after the last one, the stored job is dropped. */
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
 * Deletes what the age limit of deliveries does not cover: all but the newest of each key, and secrets that
 * have ended.
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
    await forgetWebhookSecrets(context.database, schema);
  };
}
