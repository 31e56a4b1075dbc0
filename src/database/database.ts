/**
 * The database as the rest of the service sees it: queries, transactions and notifications. PostgreSQL over a pool of
 * connections, or PGlite behind the same driver (`embedded.ts`), which has one session for everything.
 */
import { Pool, type PoolClient, type PoolConfig, type QueryResult, types as pgTypes } from "pg";
import type { Duplex } from "node:stream";
import { isAway, unavailable, undecided } from "./failures.ts";
import { createListener, type Listener } from "./listener.ts";

/** One statement, or a transaction of several. */
export interface Sql {
  /**
   * Runs one statement with `$1` placeholders.
   * @param options.isPlannedOnce keeps the statement's plan, which saves most of the cost of a small
   * statement. The plan is made when tables may still be empty, so use this only for statements that insert,
   * or that find rows by unique columns. There must be few such statements.
   * @returns its rows
   * @throws RetouchError DATABASE_UNAVAILABLE; the driver's error if the statement itself is refused
   */
  query<Row extends object = Record<string, unknown>>(
    text: string,
    values?: readonly unknown[],
    options?: StatementOptions,
  ): Promise<Row[]>;
}

export interface StatementOptions {
  isPlannedOnce?: boolean;
}

export interface Database extends Sql {
  /** Schema that holds our tables; the queue's is named after it. */
  readonly schema: string;
  readonly isEmbedded: boolean;
  /**
   * Commits what `work` did, or nothing if it throws.
   * @throws RetouchError DATABASE_UNAVAILABLE, COMMIT_UNDECIDED; what `work` throws
   */
  transaction<Result>(work: (sql: Sql) => Promise<Result>): Promise<Result>;
  /** Notifications of this schema's channel, from this process and all others. */
  readonly notifications: Listener;
  close(): Promise<void>;
}

export interface DatabaseOptions {
  /** Where PostgreSQL is; left out if `openStream` is given. */
  url?: string | undefined;
  schema: string;
  /** Opens the connection to an embedded database, which has a single session. */
  openStream?: (() => Duplex) | undefined;
  /** Called with errors on idle connections; these are reopened automatically. */
  onError: (error: Error) => void;
  /** Runs after the connections are closed. */
  afterClose?: (() => Promise<void>) | undefined;
}

const MAX_CONNECTIONS = 10;
const CONNECTION_TIMEOUT_MS = 5000;
const INT8 = 20;

/** Our counters stay far below 2^53; the driver's default is a string. */
const types = {
  getTypeParser: (oid: number, format?: "text" | "binary") =>
    oid === INT8 && format !== "binary" ? Number : (pgTypes.getTypeParser(oid, format) as never),
};

/**
 * Connects and checks that the database answers.
 * @throws RetouchError DATABASE_UNAVAILABLE
 */
export async function connectDatabase(options: DatabaseOptions): Promise<Database> {
  const { url, schema, openStream, onError, afterClose } = options;
  const isEmbedded = openStream !== undefined;
  const channel = `${schema}_events`;
  const config: PoolConfig = isEmbedded
    ? {
        stream: openStream as never,
        user: "postgres",
        database: "postgres",
        max: 1,
        idleTimeoutMillis: 0,
        types,
        // Its one session outlives a connection, and still has the transaction and the prepared statements.
        onConnect: (client) =>
          client.query(`rollback; deallocate all; listen "${channel}"`) as unknown as void,
      }
    : { connectionString: url, max: MAX_CONNECTIONS, connectionTimeoutMillis: CONNECTION_TIMEOUT_MS, types };
  const pool = new Pool({ ...config, application_name: "retouch" });
  pool.on("error", onError);
  const notifications = createListener({ pool, channel, isShared: isEmbedded, onError });
  try {
    await pool.query("select 1");
    await notifications.start();
  } catch (cause) {
    await notifications.close();
    await pool.end();
    throw unavailable(cause, { isEmbedded, isOpening: true });
  }

  /**
   * Lends a connection to `work`. After a failure the connection is rolled back, since a query of several
   * statements may have left a transaction open; the embedded database has no other connection to go on with.
   */
  async function lend<Result>(work: (sql: Sql) => Promise<Result>): Promise<Result> {
    const client = await pool.connect().catch((cause: unknown) => {
      throw unavailable(cause, { isEmbedded });
    });
    let broken: Error | undefined;
    // A connection that breaks while lent out emits an error here too, which would end the program if
    // unhandled. The first error is the cause, such as the server's shutdown; the following ones only say
    // that the connection is gone.
    const onBreak = (error: Error): void => void (broken ??= error);
    client.on("error", onBreak);
    const sql: Sql = {
      async query(text, values, options) {
        try {
          return await run(client, text, values, options);
        } catch (error) {
          // The driver refuses a statement on a broken connection, but its message does not say why.
          if (broken || isAway(error)) throw unavailable(broken ?? error, { isEmbedded });
          throw error;
        }
      },
    };
    try {
      return await work(sql);
    } catch (error) {
      await client.query("rollback").catch(onBreak);
      throw error;
    } finally {
      client.off("error", onBreak);
      // A connection that cannot even roll back is not reused.
      client.release(broken);
    }
  }

  let closing: Promise<void> | undefined;
  return {
    schema,
    isEmbedded,
    notifications,
    query: (text, values, options) => lend((sql) => sql.query(text, values, options)),
    transaction: (work) =>
      lend(async (sql) => {
        await sql.query("begin");
        const result = await work(sql);
        await sql.query("commit").catch((cause: unknown) => {
          throw undecided(cause);
        });
        return result;
      }),
    close() {
      closing ??= (async () => {
        await notifications.close();
        await pool.end();
        await afterClose?.();
      })();
      return closing;
    },
  };
}

/** Names under which a connection keeps a statement and its plan, by the statement's text. */
const names = new Map<string, string>();

function nameOf(text: string): string {
  const name = names.get(text) ?? `retouch_${names.size}`;
  names.set(text, name);
  return name;
}

async function run<Row extends object>(
  client: PoolClient,
  text: string,
  values: readonly unknown[] | undefined,
  { isPlannedOnce = false }: StatementOptions = {},
): Promise<Row[]> {
  const statement = { name: isPlannedOnce ? nameOf(text) : undefined, text, values: values as unknown[] };
  const result = (await client.query(statement)) as QueryResult | QueryResult[];
  // A query of several statements, which only schema changes use, returns one result per statement.
  return (Array.isArray(result) ? result.flatMap(({ rows }) => rows) : result.rows) as Row[];
}
