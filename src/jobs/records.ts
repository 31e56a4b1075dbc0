/** What outlives a job: its cost, and what became of its webhook. */
import { type JobsContext, schemaOf } from "./context.ts";
import type { UsageDay, WebhookDelivery } from "./contracts.ts";

/** Characters of a URL or a failure shown to an owner. */
const MAX_SHOWN_LENGTH = 2000;

interface KeyAtEndpoint {
  keyId: string;
  endpoint: string;
}

export async function listUsage(
  context: JobsContext,
  { keyId, endpoint }: KeyAtEndpoint,
  { from, to }: { from: string; to: string },
): Promise<UsageDay[]> {
  const rows = await context.database.query<Omit<UsageDay, "cost"> & { cost: string }>(
    `select to_char(ended_at at time zone 'UTC', 'YYYY-MM-DD') as date,
            count(*) filter (where is_completed) as completed,
            count(*) filter (where not is_completed) as failed,
            sum(cost) as cost
       from ${schemaOf(context)}.usage
      where key_id = $1 and endpoint = $4 and ended_at >= $2::date::timestamp at time zone 'UTC'
        and ended_at < ($3::date + 1)::timestamp at time zone 'UTC'
      group by 1 order by 1`,
    [keyId, from, to, endpoint],
  );
  return rows.map(({ date, completed, failed, cost }) => ({ date, completed, failed, cost: Number(cost) }));
}

interface DeliveryRow {
  job_id: string;
  url: string;
  status: WebhookDelivery["status"];
  attempts: number;
  created_at: Date;
  last_attempt_at: Date | null;
  last_status: number | null;
  last_error: string | null;
}

/** Cut in the database: earlier versions accepted URLs of megabytes, and a page holds a hundred of them. */
const DELIVERY_COLUMNS = `job_id, left(url, ${MAX_SHOWN_LENGTH}) as url, status, attempts, created_at, last_attempt_at,
  last_status, left(last_error, ${MAX_SHOWN_LENGTH}) as last_error`;
const MOST_OF_JOB = 100;

export async function listDeliveries(
  context: JobsContext,
  { keyId, endpoint }: KeyAtEndpoint,
  { offset, limit }: { offset: number; limit: number },
): Promise<WebhookDelivery[]> {
  const rows = await context.database.query<DeliveryRow>(
    `select ${DELIVERY_COLUMNS} from ${schemaOf(context)}.webhook_deliveries where key_id = $1 and endpoint = $4
      order by id desc offset $2 limit $3`,
    [keyId, offset, limit, endpoint],
  );
  return rows.map(rowToDelivery);
}

/** Of one job, oldest first: one each time that it ended, the last of them. */
export async function listJobDeliveries(
  context: JobsContext,
  { keyId, jobId }: { keyId: string; jobId: string },
): Promise<WebhookDelivery[]> {
  const rows = await context.database.query<DeliveryRow>(
    `select ${DELIVERY_COLUMNS} from ${schemaOf(context)}.webhook_deliveries where key_id = $1 and job_id = $2
      order by id desc limit ${MOST_OF_JOB}`,
    [keyId, jobId],
  );
  return rows.map(rowToDelivery).toReversed();
}

function rowToDelivery(row: DeliveryRow): WebhookDelivery {
  return {
    jobId: row.job_id,
    url: withoutQuery(row.url),
    status: row.status,
    attempts: row.attempts,
    createdAt: row.created_at,
    lastAttemptAt: row.last_attempt_at ?? undefined,
    lastStatus: row.last_status ?? undefined,
    lastError: row.last_error ?? undefined,
  };
}

/** Takes a whole URL or the beginning of one. Receivers put secrets into the query. */
function withoutQuery(address: string): string {
  const [bare = ""] = address.split(/[?#]/, 1);
  if (!URL.canParse(bare)) return bare;
  const { origin, pathname } = new URL(bare);
  return `${origin}${pathname}`.slice(0, MAX_SHOWN_LENGTH);
}
