/** PostgreSQL for measurements and tests: where it is, whether it answers, and schemas that are dropped again. */
import { randomBytes } from "node:crypto";
import { Client } from "pg";
import { quoted } from "../src/database/migrations.ts";

export const databaseUrl = process.env["DATABASE_URL"] ?? "postgres://postgres@127.0.0.1:5432/test";

/** Why PostgreSQL cannot be used here, or undefined where it answers. */
export const postgresMissing: string | undefined = await (async () => {
  const client = new Client({ connectionString: databaseUrl, connectionTimeoutMillis: 2000 });
  try {
    await client.connect();
    return undefined;
  } catch (error) {
    return `no PostgreSQL answers at ${new URL(databaseUrl).host}: ${String(error)}`;
  } finally {
    await client.end().catch(() => {});
  }
})();

export const newSchema = (): string => `retouch_test_${randomBytes(6).toString("hex")}`;

/** Drops a schema and that of its queue. */
export async function dropSchema(schema: string): Promise<void> {
  const client = new Client({ connectionString: databaseUrl });
  await client.connect();
  await client.query(`drop schema if exists ${quoted(schema)} cascade`);
  await client.query(`drop schema if exists ${quoted(`${schema}_queue`)} cascade`);
  await client.end();
}
