/**
 * The order in which jobs run: pg-boss, used inside the transactions of this folder, so that a job and its place in the
 * queue are written together. Retries, leases and time limits are our own: pg-boss counts in tens of seconds,
 * and its limits end at 24 hours.
 */
import { PgBoss } from "pg-boss";
import { setTimeout as delay } from "node:timers/promises";
import { HOUSEKEEPING_MS } from "../database/connections.ts";
import { quoted } from "../database/migrations.ts";
import type { Database, LendOptions, Sql, StatementOptions } from "../database/database.ts";

/** Where a job stands among all others. */
export interface Place {
  isLowPriority: boolean;
  turn: number;
}

export interface Queue {
  /** Creates the queue's tables if they are missing, and starts its maintenance. */
  start(): Promise<void>;
  /** Queues a job under an id of its own, a new one for each submission and retry. */
  send(sql: Sql, queueId: string, place: Place): Promise<void>;
  /** Queues a job that was taken once more: before all that came after it. */
  giveBack(sql: Sql, queueId: string, place: Place): Promise<void>;
  /**
   * Takes the next job: normal priority first, then the lowest turn, then the order of sending.
   * @returns its id
   */
  fetch(sql: Sql): Promise<string | undefined>;
  /** Whether a job waits here, in SQL, by an expression for its queue id. */
  isWaiting(queueId: string): string;
  remove(sql: Sql, queueIds: readonly string[]): Promise<void>;
  stop(): Promise<void>;
}

const NAME = "edits";
/**
 * Higher priorities run first. pg-boss stores one in four bytes: turns of normal jobs count down from 0,
 * those of low-priority jobs from here.
 */
const MAX_TURN = 2 ** 30 - 1;
const LOW_PRIORITY = -(2 ** 30);
/**
 * pg-boss's longest expiry. Our own limits may allow a job longer; one that pg-boss then gives up is not
 * lost, since the row is ours.
 */
const EXPIRE_SECONDS = 24 * 60 * 60 - 1;
/**
 * Our own row says how long a job waits, and takes it out of the queue at its end. pg-boss must not delete it
 * before, not even while the clock is wrong by weeks.
 */
const RETENTION_SECONDS = 10 * 365 * 24 * 60 * 60;
/** How long a stop waits for pg-boss's maintenance. */
const STOP_MS = 2000;

export function createQueue(database: Database, onError: (error: Error) => void): Queue {
  // It creates or changes its tables at the start, which may take long; after that, it does its housekeeping.
  const lending: LendOptions = { limitMs: Infinity };
  const boss = new PgBoss({
    db: adapter(database, lending),
    schema: `${database.schema}_queue`,
    backend: database.isEmbedded ? "pglite" : "postgres",
    schedule: false,
    persistWarnings: false,
  });
  boss.on("error", onError);

  async function send(sql: Sql, queueId: string, { isLowPriority, turn }: Place): Promise<void> {
    const priority = (isLowPriority ? LOW_PRIORITY : 0) - Math.min(turn, MAX_TURN);
    await boss.send(NAME, null, {
      id: queueId,
      priority,
      retentionSeconds: RETENTION_SECONDS,
      db: adapter(sql, { isPlannedOnce: true }),
    });
  }

  return {
    async start() {
      await boss.start();
      await boss.createQueue(NAME, {
        retryLimit: 0,
        expireInSeconds: EXPIRE_SECONDS,
        retentionSeconds: RETENTION_SECONDS,
      });
      lending.limitMs = HOUSEKEEPING_MS;
    },
    send,
    async giveBack(sql, queueId, place) {
      const db = adapter(sql);
      await boss.cancel(NAME, queueId, { db });
      // Keeps the time of sending, which orders jobs of one turn. The type leaves out what is returned.
      const { affected } = (await boss.resume(NAME, queueId, { db })) as unknown as { affected: number };
      if (affected > 0) return;
      // pg-boss has given it up.
      await boss.deleteJob(NAME, queueId, { db });
      await send(sql, queueId, place);
    },
    async fetch(sql) {
      const [next] = await boss.fetch(NAME, {
        batchSize: 1,
        // No job of ours waits for a time; after a clock was set back, all would.
        ignoreStartAfter: true,
        db: adapter(sql),
      });
      return next?.id;
    },
    isWaiting: (queueId) =>
      `exists (select from ${quoted(`${database.schema}_queue`)}.job as waiting
                where waiting.name = '${NAME}' and waiting.id = ${queueId} and waiting.state < 'active')`,
    async remove(sql, queueIds) {
      if (queueIds.length > 0) await boss.deleteJob(NAME, [...queueIds], { db: adapter(sql) });
    },
    async stop() {
      await Promise.race([boss.stop({ graceful: false }), delay(STOP_MS, undefined, { ref: false })]);
    },
  };
}

function adapter(
  sql: Pick<Sql, "query">,
  options?: StatementOptions & LendOptions,
): { executeSql(text: string, values?: unknown[]): Promise<{ rows: unknown[] }> } {
  return { executeSql: async (text, values) => ({ rows: await sql.query(text, values, options) }) };
}
