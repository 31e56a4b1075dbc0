/** The databases that the service's tests run on: PGlite always, PostgreSQL where one answers. */
import path from "node:path";
import { pathToFileURL } from "node:url";
import { connectDatabase, type Database } from "../../src/database/database.ts";
import { openEmbeddedDatabase } from "../../src/database/embedded.ts";
import { migrate } from "../../src/database/migrations.ts";
import { databaseUrl } from "../../tools/databases.ts";
import { root } from "./fixtures.ts";

export { databaseUrl, dropSchema, newSchema, postgresMissing } from "../../tools/databases.ts";

/** Node 20 runs no TypeScript in a thread; the suite's setup has built this. */
export const threadEntry = pathToFileURL(path.join(root, "dist", "database", "embedded-thread.js"));

export interface TestDatabase {
  readonly name: "PGlite" | "PostgreSQL";
  /** Another connection to the same data, on PostgreSQL; the same one on PGlite. */
  open(): Promise<Database>;
  /** Drops what was made. */
  remove(): Promise<void>;
}

export async function embeddedDatabase(folder: string): Promise<Database> {
  const database = await openEmbeddedDatabase({ folder, schema: "retouch", onError: raise, threadEntry });
  await migrate(database);
  return database;
}

export async function postgresDatabase(schema: string): Promise<Database> {
  const database = await connectDatabase({ url: databaseUrl, schema, onError: raise });
  await migrate(database);
  return database;
}

function raise(error: Error): never {
  throw error;
}
