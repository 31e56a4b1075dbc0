/**
 * Delivers webhooks. Their rows were written when the jobs ended, so a restart loses none; a try that a crash
 * cuts short is made again, which is why receivers should recognise a job by its id.
 */
import { setTimeout as delay } from "node:timers/promises";
import { RetouchError } from "../errors.ts";
import type { Log } from "../log.ts";
import type { JobsContext } from "./context.ts";
import type { Job } from "./job.ts";
import {
  claimDeliveries,
  type Due,
  findDue,
  MAX_URL_LENGTH,
  type Message,
  noteDelivery,
  postponeDelivery,
  readMessage,
  renewDelivery,
} from "./webhook-deliveries.ts";
import { createWebhookPlaces, MAX_OF_KEY } from "./webhook-places.ts";
import { webhookHeaders } from "./webhook-signature.ts";

export interface WebhookSettings {
  webhookTries: number;
  webhookDelayMs: number;
  webhookBackoff: number;
  webhookTimeoutMs: number;
  /** The operator's, for all keys. */
  webhookSecret?: string | undefined;
}

/** Sends a body through a guarded HTTP client and returns the status of the response. */
export type Post = (
  address: string,
  body: Uint8Array,
  options: { headers: Record<string, string>; timeoutMs: number; lane: string },
) => Promise<{ status: number }>;

export interface Webhooks {
  start(): void;
  /** Takes no more and waits for tries under way, but not for a hanging receiver: that try is repeated. */
  stop(): Promise<void>;
}

/** News may be missed while a connection is down, and a try may have been cut short. */
const POLL_MS = 5000;
/** Of the reason that is stored and logged. */
const MAX_REASON_LENGTH = 300;
/** How long after its timeout a try counts as cut short. */
const LEASE_MARGIN_MS = 5000;
/** Longest delay between two tries, however often it was multiplied. */
const MAX_DELAY_MS = 24 * 60 * 60_000;
const STOP_MS = 5000;

export function createWebhooks(options: {
  context: JobsContext;
  settings: WebhookSettings;
  post: Post;
  /** The job as its owner sees it. @throws RetouchError STORAGE_UNAVAILABLE if its result cannot be read now */
  render: (job: Job) => Promise<unknown>;
  /** Why `post` failed, as the end of a sentence, without the path of a URL. */
  failureOf: (error: unknown) => string;
  log: Log;
  /** How long a stop waits. @default 5000 */
  stopMs?: number | undefined;
}): Webhooks {
  const { context, settings, post, render, failureOf, log, stopMs = STOP_MS } = options;
  const { events } = context;
  const running = new Set<Promise<void>>();
  const places = createWebhookPlaces();
  const leaseMs = settings.webhookTimeoutMs + LEASE_MARGIN_MS;
  let timer: NodeJS.Timeout | undefined;
  let stopListening: (() => void) | undefined;
  let looking: Promise<void> | undefined;
  let isAsked = false;
  const isStarted = (): boolean => stopListening !== undefined;

  /** Looks for due deliveries, one look at a time; a call in the meantime makes it look again. */
  function look(): void {
    isAsked = true;
    looking ??= (async () => {
      while (isAsked && isStarted()) {
        isAsked = false;
        for (const due of await claim()) {
          const delivery = deliver(due).catch((error: unknown) =>
            log.warn({ err: error }, "A webhook cannot be read or noted; it is tried again."),
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

  async function claim(): Promise<Due[]> {
    if (places.isFull()) return [];
    const found = await findDue(context, {
      limit: MAX_OF_KEY,
      fullKeys: places.fullKeys(),
      fullHosts: places.fullHosts(),
    });
    const chosen = new Map(places.choose(found).map((candidate) => [candidate.id, candidate]));
    if (chosen.size === 0) return [];
    const claimed = await claimDeliveries(context, { ids: [...chosen.keys()], leaseMs });
    return claimed.map((row) => Object.assign(row, chosen.get(row.id)!));
  }

  async function deliver(due: Due): Promise<void> {
    const claimedAt = performance.now();
    const leave = places.enter(due);
    try {
      const message = await readMessage(context, due);
      if (message === undefined) return;
      const receiver = originOf(message.url);
      const made = await bodyOf(due, message);
      if (made === undefined) return await postpone(due, receiver);
      if (!("body" in made)) return await note(due, receiver, made);
      // If the image took long, or this process slept, the try might go on when another one begins.
      const isLate = performance.now() - claimedAt > LEASE_MARGIN_MS;
      if (isLate && !(await renewDelivery(context, due, leaseMs))) return;
      await note(due, receiver, await attempt(due, message, made.body));
    } finally {
      leave();
    }
  }

  /** What is sent, or why it cannot be; undefined if it cannot be made now. */
  async function bodyOf(due: Due, { url, job }: Message): Promise<{ body: Buffer } | Answer | undefined> {
    if (url.length > MAX_URL_LENGTH) return { problem: "The receiver's address is too long." };
    const tooLate = new AbortController();
    const lateness = delay(settings.webhookTimeoutMs, undefined, { signal: tooLate.signal, ref: false });
    try {
      // Within the claim, so that nobody else begins.
      const shown = await Promise.race([render(job), lateness]);
      return shown === undefined ? undefined : { body: Buffer.from(JSON.stringify(shown)) };
    } catch (error) {
      if (error instanceof RetouchError && error.code === "STORAGE_UNAVAILABLE") return undefined;
      log.error({ err: error, jobId: due.job_id }, "No webhook can be made of this job.");
      return { problem: "The webhook could not be made." };
    } finally {
      lateness.catch(() => {});
      tooLate.abort();
    }
  }

  /** Makes the try later, at no cost: nothing was sent. */
  async function postpone(due: Due, receiver: string): Promise<void> {
    const { job_id: jobId, attempts } = due;
    const delayMs = settings.webhookDelayMs;
    if (await postponeDelivery(context, due, delayMs)) {
      log.warn(
        { jobId, receiver, attempt: attempts },
        "The result of a webhook cannot be read; it is made later.",
      );
      if (isStarted()) setTimeout(look, delayMs).unref();
    } else await note(due, receiver, { problem: "The result of the job could not be read." });
  }

  async function attempt(due: Due, { url, secrets, job }: Message, body: Buffer): Promise<Answer> {
    const { message_id: id, attempts } = due;
    const { webhookTimeoutMs: timeoutMs, webhookSecret } = settings;
    try {
      const headers = webhookHeaders({ id, body, attempt: attempts, time: new Date() }, secrets, {
        shared: webhookSecret,
        ofCall: job.call?.api === "bfl" ? job.call.webhookSecret : undefined,
      });
      const { status } = await post(url, body, { headers, timeoutMs, lane: due.key_id });
      const isTaken = status >= 200 && status <= 299;
      return { status, problem: isTaken ? undefined : `The receiver answered with status ${status}.` };
    } catch (error) {
      const { name } = error as { name?: string };
      const isLate = name === "TimeoutError" || name === "AbortError";
      const reason = isLate ? `it did not answer within ${timeoutMs / 1000} s` : failureOf(error);
      return { problem: `The receiver could not be reached: ${reason.slice(0, MAX_REASON_LENGTH)}.` };
    }
  }

  async function note(due: Due, receiver: string, { status, problem }: Answer): Promise<void> {
    const { job_id: jobId, attempts } = due;
    const outcome =
      problem === undefined ? "delivered" : attempts >= settings.webhookTries ? "failed" : "pending";
    const backoff = settings.webhookBackoff ** (attempts - 1);
    const delayMs = Math.min(settings.webhookDelayMs * backoff, MAX_DELAY_MS);
    if (!(await noteDelivery(context, due, { outcome, status, problem, delayMs }))) {
      log.warn({ jobId, receiver, attempt: attempts }, "The try of a webhook took too long to count.");
      return;
    }
    log[outcome === "delivered" ? "info" : "warn"](
      { jobId, receiver, attempt: attempts, outcome },
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
      const finished = (looking ?? Promise.resolve()).then(() => Promise.all(running));
      await Promise.race([finished, delay(stopMs, undefined, { ref: false })]);
    },
  };
}

interface Answer {
  /** Status of the receiver's response, if there was one. */
  status?: number;
  /** One sentence; absent if the webhook was accepted. */
  problem?: string | undefined;
}

/** The only part of a URL that a log may hold: services put the secret of a webhook into its path. */
function originOf(url: string): string {
  return URL.canParse(url)
    ? new URL(url).origin.slice(0, MAX_REASON_LENGTH)
    : "an address that cannot be read";
}
