/**
 * Connections whose silence is noticed. A connection can lose its other end without news, such as when a
 * firewall forgets it: nothing arrives any more, and nothing fails. So every wait here has a limit, and a
 * connection that has not answered is destroyed, never reused.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { Duplex } from "node:stream";
import { Pool, type ClientBase, type PoolClient, type PoolConfig } from "pg";
import { within } from "../within.ts";

/** Longest time to connect, or to wait for a connection that others use. */
export const CONNECT_MS = 5000;
/** Longest time of a statement, where nothing else is said: the heaviest of a call takes a tenth of it. */
export const STATEMENT_MS = 10_000;
/** Longest time of a statement of housekeeping, which may delete many rows. */
export const HOUSEKEEPING_MS = 60_000;
/** The server ends a statement that is slow; only one that is silent is given up here, somewhat later. */
const SILENCE_MARGIN_MS = 2000;
/** Before a connection that is not used at all is probed by the system. */
const KEEP_ALIVE_MS = 10_000;
/** How long a close waits for statements under way, and then for farewells. */
const CLOSE_MS = 2000;

/**
 * What the server does for its side of a connection: it ends statements that take too long, transactions whose
 * owner stands still or is gone, which hold locks, and connections to nobody. Set by a statement and not when
 * connecting, since poolers such as PgBouncer refuse unknown parameters there.
 */
const SESSION = Object.entries({
  statement_timeout: STATEMENT_MS,
  idle_in_transaction_session_timeout: 15_000,
  tcp_keepalives_idle: 30,
  tcp_keepalives_interval: 10,
  tcp_keepalives_count: 3,
  tcp_user_timeout: 30_000,
})
  .map(([name, value]) => `set_config('${name}', '${value}', false)`)
  .join(", ");

export class SilenceError extends Error {
  constructor(ms: number) {
    super(`no answer within ${ms / 1000} s`);
  }
}

/** @throws SilenceError if `answer` takes longer than `ms`, which may be infinite */
export const answerWithin = <Result>(answer: Promise<Result>, ms: number): Promise<Result> =>
  within(ms, answer, () => new SilenceError(ms));

/** Ends a connection without a farewell, which nobody might hear. */
export function destroy(client: ClientBase): void {
  (client as unknown as { connection: { stream: Duplex } }).connection.stream.destroy();
}

export interface Connections {
  readonly pool: Pool;
  /** Lends a connection that has answered since the last one was found silent. */
  acquire(): Promise<PoolClient>;
  /**
   * Waits for the answer to what `ask` sends. A client without one is destroyed.
   * @param limitMs how long the server may take; Infinity for as long as it likes
   * @throws SilenceError
   */
  ask<Result>(client: PoolClient, ask: () => Promise<Result>, limitMs: number): Promise<Result>;
  /** Says that a connection asked at this time, by `performance.now()`, has not answered. */
  suspect(askedAt: number): void;
  close(): Promise<void>;
}

export interface ConnectionsOptions {
  config: PoolConfig;
  /** Whether there is a network in between. */
  isRemote: boolean;
  onError: (error: Error) => void;
}

export function createConnections({ config, isRemote, onError }: ConnectionsOptions): Connections {
  const pool = new Pool({ ...config, ...(isRemote ? remote : {}) });
  const open = new Set<PoolClient>();
  const lent = new Set<PoolClient>();
  const answeredAt = new WeakMap<PoolClient, number>();
  /** Connections that have not answered since then may be as silent as the one that was found to be. */
  let suspectBefore = -Infinity;
  pool.on("error", onError);
  pool.on("connect", (client) => {
    open.add(client);
    answeredAt.set(client, performance.now());
  });
  pool.on("remove", (client) => open.delete(client));
  pool.on("acquire", (client) => lent.add(client));
  pool.on("release", (_error, client) => lent.delete(client));

  async function closeRemote(): Promise<void> {
    const ended = pool.end();
    await Promise.race([ended, delay(CLOSE_MS, undefined, { ref: false })]);
    // Their statements fail, and whoever waits for them gives them back.
    for (const client of lent) destroy(client);
    await Promise.race([ended, delay(CLOSE_MS, undefined, { ref: false })]);
    const until = performance.now() + CLOSE_MS;
    while (open.size > 0 && performance.now() < until) await delay(10);
    for (const client of open) destroy(client);
  }

  const suspect = (askedAt: number): void => void (suspectBefore = Math.max(suspectBefore, askedAt));

  return {
    pool,
    suspect,
    async acquire() {
      for (;;) {
        const client = await pool.connect();
        if ((answeredAt.get(client) ?? Infinity) >= suspectBefore) return client;
        destroy(client);
        client.release(true);
      }
    },
    async ask(client, ask, limitMs) {
      const askedAt = performance.now();
      const waitMs = !isRemote ? Infinity : limitMs < STATEMENT_MS ? limitMs : limitMs + SILENCE_MARGIN_MS;
      try {
        const answer = await answerWithin(ask(), waitMs);
        answeredAt.set(client, performance.now());
        return answer;
      } catch (error) {
        if (error instanceof SilenceError) {
          suspect(askedAt);
          destroy(client);
        }
        throw error;
      }
    },
    close: () => (isRemote ? closeRemote() : pool.end()),
  };
}

const remote: PoolConfig = {
  connectionTimeoutMillis: CONNECT_MS,
  keepAlive: true,
  keepAliveInitialDelayMillis: KEEP_ALIVE_MS,
  onConnect: (async (client: ClientBase) => {
    try {
      await answerWithin(client.query(`select ${SESSION}`), CONNECT_MS);
    } catch (error) {
      destroy(client);
      throw error;
    }
  }) as unknown as NonNullable<PoolConfig["onConnect"]>,
};

/** The statement that changes how long a session's statements may take. */
export const limitStatement = (limitMs: number): string =>
  `set statement_timeout = ${limitMs === Infinity ? 0 : limitMs}`;
