/**
 * Delivery of webhooks. Their rows were written when the jobs ended, so a restart loses none; a try that a crash cuts
 * short is made again, which is why receivers should know a job by its id.
 */
import { createHmac } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { messageOf } from "../errors.ts";
import type { Log } from "../log.ts";
import { version } from "../version.ts";
import { type JobsContext, schemaOf } from "./context.ts";
import type { Job } from "./job.ts";
import { withoutQuery } from "./records.ts";
import { jsonToJob } from "./rows.ts";

export interface WebhookSettings {
  webhookTries: number;
  webhookDelayMs: number;
  webhookBackoff: number;
  webhookTimeoutMs: number;
  webhookSecret?: string | undefined;
}

/** Sends a body and says with which status it was answered; what a guarded HTTP client does. */
export type Post = (
  address: string,
  body: Uint8Array,
  options: { headers: Record<string, string>; timeoutMs: number },
) => Promise<{ status: number }>;

export interface Webhooks {
  start(): void;
  /** Takes no more, and waits for what is under way, but not for a receiver that hangs: that try is made again. */
  stop(): Promise<void>;
}

interface Due {
  id: number;
  job_id: string;
  url: string;
  host: string;
  job: Parameters<typeof jsonToJob>[0];
  attempts: number;
}

const POLL_MS = 1000;
const MAX_AT_ONCE = 32;
/** One receiver that hangs must not take all the places. */
const MAX_PER_HOST = 4;
/** Of an address, with its port; nothing where it is spelled oddly. */
const HOST = "coalesce(lower(substring(url from '^[^:]+://([^/?#]*)')), '')";
/** How long after its time-out a try counts as cut short. */
const LEASE_MARGIN_MS = 5000;
/** Between two tries, however often the time was multiplied. */
const MAX_DELAY_MS = 24 * 60 * 60_000;
const STOP_MS = 5000;

export function createWebhooks(options: {
  context: JobsContext;
  settings: WebhookSettings;
  post: Post;
  /** The job as its owner sees it. */
  render: (job: Job) => unknown;
  log: Log;
  /** How long a stop waits. @default 5000 */
  stopMs?: number | undefined;
}): Webhooks {
  const { context, settings, post, render, log, stopMs = STOP_MS } = options;
  const { database, events } = context;
  const schema = schemaOf(context);
  const running = new Set<Promise<void>>();
  const hosts = new Map<string, number>();
  let timer: NodeJS.Timeout | undefined;
  let stopListening: (() => void) | undefined;
  let looking: Promise<void> | undefined;
  let isAsked = false;
  const isStarted = (): boolean => stopListening !== undefined;

  /** Looks for due deliveries, once at a time; a call in the meantime makes it look again. */
  function look(): void {
    isAsked = true;
    looking ??= (async () => {
      while (isAsked && isStarted()) {
        isAsked = false;
        for (const due of await claim()) {
          const delivery = deliver(due).catch((error: unknown) =>
            log.warn({ err: error }, "A webhook was not noted."),
          );
          running.add(delivery);
          void delivery.then(() => {
            running.delete(delivery);
            look();
          });
        }
      }
    })()
      .catch((error: unknown) => log.warn({ err: error }, "Webhooks cannot be read."))
      .finally(() => (looking = undefined));
  }

  /** Takes what is due, and pushes its next time behind this try's end. */
  async function claim(): Promise<Due[]> {
    const room = MAX_AT_ONCE - running.size;
    if (room <= 0) return [];
    return database.query<Due>(
      `update ${schema}.webhook_deliveries
          set attempts = attempts + 1, last_attempt_at = clock_timestamp(),
              next_attempt_at = clock_timestamp() + $1 * interval '1 millisecond'
        where id in (
          select id from (
            select id, ${HOST} as host, row_number() over (partition by ${HOST} order by id) as place
              from ${schema}.webhook_deliveries
             where status = 'pending' and next_attempt_at <= clock_timestamp()) as waiting
           where place <= $2 - coalesce(($3::jsonb ->> host)::integer, 0) order by id limit $4)
          and status = 'pending' and next_attempt_at <= clock_timestamp()
        returning id, job_id, url, ${HOST} as host, job, attempts`,
      [
        settings.webhookTimeoutMs + LEASE_MARGIN_MS,
        MAX_PER_HOST,
        JSON.stringify(Object.fromEntries(hosts)),
        room,
      ],
    );
  }

  async function deliver(due: Due): Promise<void> {
    const { host } = due;
    hosts.set(host, (hosts.get(host) ?? 0) + 1);
    let status: number | undefined;
    let problem: string | undefined;
    try {
      const body = Buffer.from(JSON.stringify(render(jsonToJob(due.job))));
      ({ status } = await post(due.url, body, {
        headers: headersOf(body, due.attempts),
        timeoutMs: settings.webhookTimeoutMs,
      }));
      if (status < 200 || status > 299) problem = `The receiver answered with status ${status}.`;
    } catch (error) {
      problem = `The receiver could not be reached: ${reasonOf(error, settings.webhookTimeoutMs)}.`;
    } finally {
      const count = hosts.get(host)! - 1;
      if (count === 0) hosts.delete(host);
      else hosts.set(host, count);
    }
    await note(due, status, problem);
  }

  function headersOf(body: Buffer, attempt: number): Record<string, string> {
    const headers: Record<string, string> = {
      "content-type": "application/json",
      "user-agent": `Retouch/${version}`,
      "x-retouch-attempt": String(attempt),
    };
    if (settings.webhookSecret !== undefined) {
      const signature = createHmac("sha256", settings.webhookSecret).update(body).digest("hex");
      headers["x-retouch-signature"] = `sha256=${signature}`;
    }
    return headers;
  }

  async function note(
    { id, job_id: jobId, url, attempts }: Due,
    status: number | undefined,
    problem: string | undefined,
  ): Promise<void> {
    const outcome =
      problem === undefined ? "delivered" : attempts >= settings.webhookTries ? "failed" : "pending";
    const backoff = settings.webhookBackoff ** (attempts - 1);
    const delayMs = Math.min(settings.webhookDelayMs * backoff, MAX_DELAY_MS);
    await database.query(
      `update ${schema}.webhook_deliveries
          set status = $2, last_status = $3, last_error = $4, job = case when $2 = 'pending' then job end,
              next_attempt_at = clock_timestamp() + $5 * interval '1 millisecond'
        where id = $1`,
      [id, outcome, status, problem, delayMs],
    );
    log[outcome === "delivered" ? "info" : "warn"](
      { jobId, url: withoutQuery(url), attempt: attempts, outcome },
      problem ?? "The webhook was delivered.",
    );
    if (outcome === "pending" && isStarted()) setTimeout(look, delayMs).unref();
  }

  return {
    start() {
      if (isStarted()) return;
      stopListening = events.on("webhook", undefined, look);
      timer = setInterval(look, POLL_MS);
      look();
    },
    async stop() {
      stopListening?.();
      stopListening = undefined;
      clearInterval(timer);
      await looking;
      await Promise.race([Promise.all(running), delay(stopMs, undefined, { ref: false })]);
    },
  };
}

/** Without addresses and codes of the system, as far as there is a sentence for it. */
function reasonOf(error: unknown, timeoutMs: number): string {
  const { name, code } = error as { name?: string; code?: string };
  if (name === "TimeoutError" || name === "AbortError")
    return `it did not answer within ${timeoutMs / 1000} s`;
  const known: Record<string, string> = {
    ADDRESS_REFUSED: "its address is not public",
    ECONNREFUSED: "it refuses the connection",
    ENOTFOUND: "there is no such host",
    ECONNRESET: "it ended the connection",
  };
  return known[code ?? ""] ?? messageOf(error).replace(/\.$/, "");
}
