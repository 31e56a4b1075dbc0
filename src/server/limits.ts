/**
 * Limits what one API key may ask for: calls per window and concurrent calls, across all servers of a
 * database. Calls are counted before their body is read, so that a refused one costs nothing.
 */
import type { FastifyReply, FastifyRequest } from "fastify";
import type { Config } from "../config/settings.ts";
import type { Allowances } from "../jobs/allowances.ts";
import { type CallPlaces, createCallPlaces } from "./call-places.ts";
import { createCallRate } from "./call-rates.ts";

export type LimitSettings = Pick<
  Config,
  | "rateWindowMs"
  | "ratePerWorker"
  | "runRate"
  | "runConcurrency"
  | "runsyncRate"
  | "runsyncConcurrency"
  | "statusRate"
  | "statusConcurrency"
  | "cancelRate"
  | "cancelConcurrency"
  | "purgeRate"
  | "requestsRate"
  | "requestsConcurrency"
  | "retryRate"
  | "readRate"
>;

/** Routes that share their limits; `status` stands for /status, /status-sync and /stream. */
export type LimitGroup = "run" | "runsync" | "status" | "cancel" | "retry" | "purge" | "requests" | "read";

type Limit = (request: FastifyRequest, reply: FastifyReply) => Promise<void>;

/** What a route needs for its limits; the hooks that check the key run first. */
export interface LimitedRoute {
  onRequest: Limit[];
}

/** Seconds that a caller over the concurrency limit should wait. */
const CONCURRENCY_RETRY_SECONDS = 1;

export interface LimitsOptions {
  settings: LimitSettings;
  /** How many workers report being alive: each allows some more calls. */
  runningWorkers: () => number;
  /** Needed if several servers may share a database; without it, this server counts alone. */
  allowances?: Allowances | undefined;
  onError: (error: unknown) => void;
}

export interface Limits {
  of(group: LimitGroup): LimitedRoute;
  close(): void;
}

const RENEWAL_MS = 1000;

export function createLimits({ settings, runningWorkers, allowances, onError }: LimitsOptions): Limits {
  const places: CallPlaces[] = [];
  /** Every worker allows more calls about jobs; purging or reading the queue does not grow with them. */
  const inWindow = (name: LimitGroup, rate: number, { isGrowing = true } = {}): Limit => {
    const perWorker = isGrowing ? settings.ratePerWorker : 0;
    const limit = (): number => Math.max(rate, runningWorkers() * perWorker);
    return countCalls({ name, windowMs: settings.rateWindowMs, limit, shared: allowances });
  };
  const atMost = (name: LimitGroup, limit: number): Limit => {
    const own = createCallPlaces({ name, limit, shared: allowances, onError });
    places.push(own);
    return takePlace(own, limit);
  };
  const fixed = { isGrowing: false };
  const groups: Record<LimitGroup, LimitedRoute> = {
    run: { onRequest: [inWindow("run", settings.runRate), atMost("run", settings.runConcurrency)] },
    runsync: {
      onRequest: [inWindow("runsync", settings.runsyncRate), atMost("runsync", settings.runsyncConcurrency)],
    },
    status: {
      onRequest: [inWindow("status", settings.statusRate), atMost("status", settings.statusConcurrency)],
    },
    cancel: {
      onRequest: [inWindow("cancel", settings.cancelRate), atMost("cancel", settings.cancelConcurrency)],
    },
    retry: { onRequest: [inWindow("retry", settings.retryRate)] },
    purge: { onRequest: [inWindow("purge", settings.purgeRate, fixed)] },
    requests: {
      onRequest: [
        inWindow("requests", settings.requestsRate, fixed),
        atMost("requests", settings.requestsConcurrency),
      ],
    },
    read: { onRequest: [inWindow("read", settings.readRate, fixed)] },
  };
  const timer = allowances && setInterval(() => void renew(allowances).catch(onError), RENEWAL_MS);
  timer?.unref();

  async function renew({ renewPlaces }: Allowances): Promise<void> {
    await renewPlaces();
    for (const own of places) await own.giveBack();
  }
  return { of: (group) => groups[group], close: () => clearInterval(timer) };
}

function countCalls(options: Parameters<typeof createCallRate>[0]): Limit {
  const rate = createCallRate(options);
  return async ({ keyId }) => {
    const excess = await rate.count(keyId);
    if (excess === undefined) return;
    const { limit, waitMs } = excess;
    throw tooMany(
      `More than ${limit} calls in ${options.windowMs / 1000} s; try again later.`,
      waitMs / 1000,
    );
  };
}

function takePlace(places: CallPlaces, concurrency: number): Limit {
  return async ({ keyId }, reply) => {
    const leave = await places.enter(keyId);
    if (leave === undefined) {
      throw tooMany(
        `More than ${concurrency} calls at the same time; try again later.`,
        CONCURRENCY_RETRY_SECONDS,
      );
    }
    let isOver = false;
    const end = (): void => {
      if (!isOver) leave();
      isOver = true;
    };
    // A client that goes away causes no `finish`, and may have done so already.
    reply.raw.once("finish", end).once("close", end);
    if (reply.raw.destroyed) end();
  };
}

function tooMany(sentence: string, retryAfterSeconds: number): Error {
  return Object.assign(new Error(sentence), {
    statusCode: 429,
    retryAfterSeconds: Math.max(1, Math.ceil(retryAfterSeconds)),
  });
}
