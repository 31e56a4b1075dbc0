/**
 * The order in which jobs run: pg-boss, used inside the transactions of this folder, so that a job and its place in the
 * queue are written together. Retries, leases and time limits are our own: pg-boss counts in tens of seconds,
 * and its limits end at 24 hours.
 */
import { PgBoss } from "pg-boss";
import type { Database, Sql, StatementOptions } from "../database/database.ts";

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
/** Longer than the longest ttl, 7 days. */
const RETENTION_SECONDS = 14 * 24 * 60 * 60;

export function createQueue(database: Database, onError: (error: Error) => void): Queue {
  const boss = new PgBoss({
    db: adapter(database),
    schema: `${database.schema}_queue`,
    backend: database.isEmbedded ? "pglite" : "postgres",
    schedule: false,
    persistWarnings: false,
  });
  boss.on("error", onError);

  async function send(sql: Sql, queueId: string, { isLowPriority, turn }: Place): Promise<void> {
    const priority = (isLowPriority ? LOW_PRIORITY : 0) - Math.min(turn, MAX_TURN);
    await boss.send(NAME, null, { id: queueId, priority, db: adapter(sql, { isPlannedOnce: true }) });
  }

  return {
    async start() {
      await boss.start();
      await boss.createQueue(NAME, {
        retryLimit: 0,
        expireInSeconds: EXPIRE_SECONDS,
        retentionSeconds: RETENTION_SECONDS,
      });
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
      const [next] = await boss.fetch(NAME, { batchSize: 1, db: adapter(sql) });
      return next?.id;
    },
    async remove(sql, queueIds) {
      if (queueIds.length > 0) await boss.deleteJob(NAME, [...queueIds], { db: adapter(sql) });
    },
    stop: () => boss.stop({ graceful: false }),
  };
}

function adapter(
  sql: Sql,
  options?: StatementOptions,
): { executeSql(text: string, values?: unknown[]): Promise<{ rows: unknown[] }> } {
  return { executeSql: async (text, values) => ({ rows: await sql.query(text, values, options) }) };
}
