/**
 * The database as the rest of the service sees it: queries, transactions and notifications. PostgreSQL over a pool of
 * connections, or PGlite behind the same driver (`embedded.ts`), which has one session for everything.
 */
import { type PoolClient, type PoolConfig, type QueryResult, types as pgTypes } from "pg";
import type { Duplex } from "node:stream";
import { createConnections, limitStatement, SilenceError, STATEMENT_MS } from "./connections.ts";
import { RetouchError } from "../errors.ts";
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

/** How statements reach PostgreSQL; the embedded database, which is never silent, has no limits. */
export interface LendOptions {
  /** How long each statement may take, milliseconds; Infinity for changes of the schema. @default 10,000 */
  limitMs?: number | undefined;
  /** For signs of life: uses connections of their own, for which they never wait behind other calls. */
  isVital?: boolean | undefined;
}

export interface Database extends Sql {
  /** Schema that holds our tables; the queue's is named after it. */
  readonly schema: string;
  readonly isEmbedded: boolean;
  query<Row extends object = Record<string, unknown>>(
    text: string,
    values?: readonly unknown[],
    options?: StatementOptions & LendOptions,
  ): Promise<Row[]>;
  /**
   * Commits what `work` did, or nothing if it throws.
   * @throws RetouchError DATABASE_UNAVAILABLE, COMMIT_UNDECIDED; what `work` throws
   */
  transaction<Result>(work: (sql: Sql) => Promise<Result>, options?: LendOptions): Promise<Result>;
  /** Notifications of this schema's channel, from this process and all others. */
  readonly notifications: Listener;
  /** Waits some seconds for what is under way; a silent server does not make it longer. */
  close(): Promise<void>;
}

/** The same database, whose statements have these limits. */
export function withOptions(database: Database, lending: LendOptions): Database {
  return {
    ...database,
    query: (text, values, options) => database.query(text, values, { ...lending, ...options }),
    transaction: (work, options) => database.transaction(work, { ...lending, ...options }),
  };
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
/** One listens; the others carry signs of life. */
const MAX_VITAL_CONNECTIONS = 3;
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
    : { connectionString: url, max: MAX_CONNECTIONS, types };
  const create = (max: number) =>
    createConnections({
      config: { ...config, max, application_name: "retouch" },
      isRemote: !isEmbedded,
      onError,
    });
  const usual = create(config.max!);
  const vital = isEmbedded ? usual : create(MAX_VITAL_CONNECTIONS);
  const all = [...new Set([usual, vital])];
  const notifications = createListener({
    pool: vital.pool,
    channel,
    isShared: isEmbedded,
    onError,
    onSilence: (askedAt) => all.forEach((connections) => connections.suspect(askedAt)),
  });

  /**
   * Lends a connection to `work`. After a failure the connection is rolled back, since a query of several
   * statements may have left a transaction open; the embedded database has no other connection to go on with.
   */
  async function lend<Result>(
    work: (sql: Sql) => Promise<Result>,
    { limitMs = STATEMENT_MS, isVital = false }: LendOptions = {},
  ): Promise<Result> {
    const connections = isVital ? vital : usual;
    const client = await connections.acquire().catch((cause: unknown) => {
      throw unavailable(cause, { isEmbedded });
    });
    let broken: Error | undefined;
    // A connection that breaks while lent out emits an error here too, which would end the program if
    // unhandled. The first error is the cause, such as the server's shutdown; the following ones only say
    // that the connection is gone.
    const onBreak = (error: Error): void => void (broken ??= error);
    client.on("error", onBreak);
    async function ask<Answer>(statement: () => Promise<Answer>, ms: number): Promise<Answer> {
      try {
        return await connections.ask(client, statement, ms);
      } catch (error) {
        if (error instanceof SilenceError) onBreak(error);
        // The driver refuses a statement on a broken connection, but its message does not say why.
        if (broken || isAway(error)) throw unavailable(broken ?? error, { isEmbedded });
        throw error;
      }
    }
    const sql: Sql = {
      query: (text, values, options) => ask(() => run(client, text, values, options), limitMs),
    };
    // The server's own limit is that of most statements, and shorter ones need no other.
    const isLonger = !isEmbedded && limitMs > STATEMENT_MS;
    const tidyUp = async (statement: string): Promise<void> => {
      if (!broken) await ask(() => client.query(statement), STATEMENT_MS).catch(onBreak);
    };
    try {
      if (isLonger) await ask(() => client.query(limitStatement(limitMs)), STATEMENT_MS);
      return await work(sql);
    } catch (error) {
      await tidyUp("rollback");
      throw error;
    } finally {
      if (isLonger) await tidyUp(limitStatement(STATEMENT_MS));
      client.off("error", onBreak);
      // A connection that cannot even roll back is not reused.
      client.release(broken);
    }
  }

  let closing: Promise<void> | undefined;
  const closeAll = async (): Promise<void> => {
    await notifications.close();
    await Promise.all(all.map((connections) => connections.close()));
  };
  const query: Database["query"] = (text, values, options) =>
    lend((sql) => sql.query(text, values, options), options);

  try {
    await query("select 1");
    await notifications.start();
  } catch (error) {
    await closeAll();
    throw unavailable(error instanceof RetouchError ? error.cause : error, { isEmbedded, isOpening: true });
  }
  return {
    schema,
    isEmbedded,
    notifications,
    query,
    transaction: (work, options) =>
      lend(async (sql) => {
        await sql.query("begin");
        const result = await work(sql);
        await sql.query("commit").catch((cause: unknown) => {
          throw undecided(cause);
        });
        return result;
      }, options),
    close() {
      closing ??= closeAll().then(() => afterClose?.());
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
