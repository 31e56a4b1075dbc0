/** The databases that a server is measured on: each time new and empty, and removed afterwards. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { databaseUrl, dropSchema, newSchema, postgresMissing } from "../../tools/databases.ts";

export const DATABASES = ["PGlite", "PostgreSQL"] as const;
export type DatabaseName = (typeof DATABASES)[number];

/** Why a database cannot be measured here; undefined where it can. */
export const missing = (name: DatabaseName): string | undefined =>
  name === "PostgreSQL" ? postgresMissing : undefined;

/** Does `work` with the settings of a server whose database is empty. */
export async function withDatabase<Result>(
  name: DatabaseName,
  work: (settings: Record<string, string>) => Promise<Result>,
): Promise<Result> {
  const folder = await mkdtemp(path.join(tmpdir(), "retouch-bench-"));
  const schema = newSchema();
  const shared: Record<string, string> =
    name === "PostgreSQL" ? { DATABASE_URL: databaseUrl, RETOUCH_DATABASE_SCHEMA: schema } : {};
  try {
    return await work({ RETOUCH_DATA_DIR: folder, ...shared });
  } finally {
    await rm(folder, { recursive: true, force: true });
    if (name === "PostgreSQL") await dropSchema(schema);
  }
}
