/** The databases that the service's tests run on: PGlite always, PostgreSQL where one answers. */
import { randomBytes } from "node:crypto";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { Client } from "pg";
import { connectDatabase, type Database } from "../../src/database/database.ts";
import { openEmbeddedDatabase } from "../../src/database/embedded.ts";
import { migrate, quoted } from "../../src/database/migrations.ts";
import { root } from "./fixtures.ts";

/** Node 20 runs no TypeScript in a thread; the suite's setup has built this. */
export const threadEntry = pathToFileURL(path.join(root, "dist", "database", "embedded-thread.js"));

const url = process.env["DATABASE_URL"] ?? "postgres://postgres@127.0.0.1:5432/test";

/** Why PostgreSQL is not tested here, or undefined where it answers. */
export const postgresMissing: string | undefined = await (async () => {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: 2000 });
  try {
    await client.connect();
    return undefined;
  } catch (error) {
    return `no PostgreSQL answers at ${new URL(url).host}: ${String(error)}`;
  } finally {
    await client.end().catch(() => {});
  }
})();

export const databaseUrl = url;

export interface TestDatabase {
  readonly name: "PGlite" | "PostgreSQL";
  /** Another connection to the same data, on PostgreSQL; the same one on PGlite. */
  open(): Promise<Database>;
  /** Drops what was made. */
  remove(): Promise<void>;
}

export const newSchema = (): string => `retouch_test_${randomBytes(6).toString("hex")}`;

export async function embeddedDatabase(folder: string): Promise<Database> {
  const database = await openEmbeddedDatabase({ folder, schema: "retouch", onError: raise, threadEntry });
  await migrate(database);
  return database;
}

export async function postgresDatabase(schema: string): Promise<Database> {
  const database = await connectDatabase({ url, schema, onError: raise });
  await migrate(database);
  return database;
}

export async function dropSchema(schema: string): Promise<void> {
  const client = new Client({ connectionString: url });
  await client.connect();
  await client.query(`drop schema if exists ${quoted(schema)} cascade`);
  await client.query(`drop schema if exists ${quoted(`${schema}_queue`)} cascade`);
  await client.end();
}

function raise(error: Error): never {
  throw error;
}
