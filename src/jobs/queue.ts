/**
 * The order in which an endpoint's jobs run: pg-boss, used inside the transactions of this folder, so that a job and its place in the
 * queue are written together. Retries, leases and time limits are our own: pg-boss counts in tens of seconds,
 * and its limits end at 24 hours.
 */
import { PgBoss } from "pg-boss";
import { setTimeout as delay } from "node:timers/promises";
import { HOUSEKEEPING_MS } from "../database/connections.ts";
import { quoted } from "../database/migrations.ts";
import type { Database, LendOptions, Sql, StatementOptions } from "../database/database.ts";

/** Where a job stands among all others of its endpoint. */
export interface Place {
  endpoint: string;
  isLowPriority: boolean;
  turn: number;
}

/** A job in the queue of its endpoint, under the id of one submission or retry. */
export interface QueuedJob {
  endpoint: string;
  queueId: string;
}

export interface Queue {
  /** Creates the tables and the queues of these endpoints if they are missing, and starts the maintenance. */
  start(endpoints: readonly string[]): Promise<void>;
  /** Queues a job under an id of its own, a new one for each submission and retry. */
  send(sql: Sql, queueId: string, place: Place): Promise<void>;
  /** Queues a job that was taken once more: before all that came after it. */
  giveBack(sql: Sql, queueId: string, place: Place): Promise<void>;
  /**
   * Takes the next job of an endpoint: normal priority first, then the lowest turn, then the order of sending.
   * @returns its id
   */
  fetch(sql: Sql, endpoint: string): Promise<string | undefined>;
  /** The id of the job that `fetch` would take. */
  peek(sql: Pick<Sql, "query">, endpoint: string): Promise<string | undefined>;
  /**
   * The first of these endpoints that has jobs waiting; one with jobs of normal priority before one without.
   */
  nextEndpoint(sql: Pick<Sql, "query">, endpoints: readonly string[]): Promise<string | undefined>;
  /** Whether a job waits here, in SQL, by expressions for its endpoint and its queue id. */
  isWaiting(job: Record<"endpoint" | "queueId", string>): string;
  remove(sql: Sql, jobs: readonly QueuedJob[]): Promise<void>;
  stop(): Promise<void>;
}

/** Of the default endpoint's queue; those of the others have their ids after it. */
const NAME = "edits";
const nameOf = (endpoint: string): string => (endpoint === "" ? NAME : `${NAME}/${endpoint}`);
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
    // Our own table has the workers; this would look at the event loop fifty times a second for its own.
    registerInstance: false,
  });
  boss.on("error", onError);

  const waiting = `${quoted(`${database.schema}_queue`)}.job`;

  async function send(sql: Sql, queueId: string, { endpoint, isLowPriority, turn }: Place): Promise<void> {
    const priority = (isLowPriority ? LOW_PRIORITY : 0) - Math.min(turn, MAX_TURN);
    await boss.send(nameOf(endpoint), null, {
      id: queueId,
      priority,
      retentionSeconds: RETENTION_SECONDS,
      db: adapter(sql, { isPlannedOnce: true }),
    });
  }

  return {
    async start(endpoints) {
      await boss.start();
      for (const endpoint of endpoints) {
        await boss.createQueue(nameOf(endpoint), {
          retryLimit: 0,
          expireInSeconds: EXPIRE_SECONDS,
          retentionSeconds: RETENTION_SECONDS,
        });
      }
      lending.limitMs = HOUSEKEEPING_MS;
    },
    send,
    async giveBack(sql, queueId, place) {
      const db = adapter(sql);
      const name = nameOf(place.endpoint);
      await boss.cancel(name, queueId, { db });
      // Keeps the time of sending, which orders jobs of one turn. The type leaves out what is returned.
      const { affected } = (await boss.resume(name, queueId, { db })) as unknown as { affected: number };
      if (affected > 0) return;
      // pg-boss has given it up.
      await boss.deleteJob(name, queueId, { db });
      await send(sql, queueId, place);
    },
    async fetch(sql, endpoint) {
      const [next] = await boss.fetch(nameOf(endpoint), {
        batchSize: 1,
        // No job of ours waits for a time; after a clock was set back, all would.
        ignoreStartAfter: true,
        db: adapter(sql),
      });
      return next?.id;
    },
    async peek(sql, endpoint) {
      const [next] = await sql.query<{ id: string }>(
        // The order of pg-boss.
        `select id from ${waiting} as waiting where name = $1 and state < 'active'
          order by priority desc, created_on, id limit 1`,
        [nameOf(endpoint)],
        { isPlannedOnce: true },
      );
      return next?.id;
    },
    async nextEndpoint(sql, endpoints) {
      const [next] = await sql.query<{ place: number }>(
        `select place from unnest($1::text[]) with ordinality as wanted (name, place),
                lateral (select max(priority) as highest from ${waiting} as waiting
                          where waiting.name = wanted.name and waiting.state < 'active') as first
          where highest is not null order by highest <= $2, place limit 1`,
        [endpoints.map(nameOf), LOW_PRIORITY],
      );
      return next && endpoints[next.place - 1];
    },
    isWaiting: ({ endpoint, queueId }) =>
      `exists (select from ${waiting} as waiting
                where waiting.name = case when ${endpoint} = '' then '${NAME}' else '${NAME}/' || ${endpoint} end
                  and waiting.id = ${queueId} and waiting.state < 'active')`,
    async remove(sql, jobs) {
      for (const endpoint of new Set(jobs.map((job) => job.endpoint))) {
        const ids = jobs.filter((job) => job.endpoint === endpoint).map(({ queueId }) => queueId);
        await boss.deleteJob(nameOf(endpoint), ids, { db: adapter(sql) });
      }
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
