/**
 * How much one API key may ask for: calls in a window, and calls at the same time. Counted in this process, before a
 * body is read, so that what is refused costs nothing.
 */
import type { FastifyReply, FastifyRequest } from "fastify";
import type { Config } from "../config/settings.ts";

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
>;

/** Routes that share their limits; `status` stands for /status, /status-sync and /stream. */
export type LimitGroup = "run" | "runsync" | "status" | "cancel" | "purge" | "requests";

type Limit = (request: FastifyRequest, reply: FastifyReply) => Promise<void>;

/** What a route needs for its limits; hooks of the key come before. */
export interface LimitedRoute {
  onRequest: Limit[];
}

/** Seconds that a caller over the concurrency limit should wait. */
const CONCURRENCY_RETRY_SECONDS = 1;

/** @param runningWorkers how many workers give a sign of life: each allows some calls */
export function createLimits(
  settings: LimitSettings,
  runningWorkers: () => number,
): (group: LimitGroup) => LimitedRoute {
  /** Every worker allows more calls about jobs; there is no more of a queue to purge or to list. */
  const inWindow = (rate: number, { isGrowing = true } = {}): Limit => {
    const perWorker = isGrowing ? settings.ratePerWorker : 0;
    return countCalls(settings.rateWindowMs, () => Math.max(rate, runningWorkers() * perWorker));
  };
  const groups: Record<LimitGroup, LimitedRoute> = {
    run: { onRequest: [inWindow(settings.runRate), atMost(settings.runConcurrency)] },
    runsync: { onRequest: [inWindow(settings.runsyncRate), atMost(settings.runsyncConcurrency)] },
    status: { onRequest: [inWindow(settings.statusRate), atMost(settings.statusConcurrency)] },
    cancel: { onRequest: [inWindow(settings.cancelRate), atMost(settings.cancelConcurrency)] },
    purge: { onRequest: [inWindow(settings.purgeRate, { isGrowing: false })] },
    requests: {
      onRequest: [
        inWindow(settings.requestsRate, { isGrowing: false }),
        atMost(settings.requestsConcurrency),
      ],
    },
  };
  return (group) => groups[group];
}

/** Counts the calls of each API key in windows that begin with its first call. */
function countCalls(windowMs: number, limit: () => number): Limit {
  const windows = new Map<string, { endsAt: number; count: number }>();
  return async ({ keyId }) => {
    const now = performance.now();
    let window = windows.get(keyId);
    if (window === undefined || window.endsAt <= now) {
      window = { endsAt: now + windowMs, count: 0 };
      windows.set(keyId, window);
    }
    // Counted and compared in one turn: calls that come together each have a number of their own.
    window.count += 1;
    const max = limit();
    if (window.count <= max) return;
    throw tooMany(
      `More than ${max} calls in ${windowMs / 1000} s; try again later.`,
      (window.endsAt - now) / 1000,
    );
  };
}

function atMost(concurrency: number): Limit {
  const running = new Map<string, number>();
  return async ({ keyId }, reply) => {
    const count = running.get(keyId) ?? 0;
    if (count >= concurrency) {
      throw tooMany(
        `More than ${concurrency} calls at the same time; try again later.`,
        CONCURRENCY_RETRY_SECONDS,
      );
    }
    running.set(keyId, count + 1);
    let isOver = false;
    const end = (): void => {
      if (isOver) return;
      isOver = true;
      const left = (running.get(keyId) ?? 1) - 1;
      if (left === 0) running.delete(keyId);
      else running.set(keyId, left);
    };
    // A client that goes away causes no `finish`.
    reply.raw.once("finish", end).once("close", end);
  };
}

function tooMany(sentence: string, retryAfterSeconds: number): Error {
  return Object.assign(new Error(sentence), {
    statusCode: 429,
    retryAfterSeconds: Math.max(1, Math.ceil(retryAfterSeconds)),
  });
}
