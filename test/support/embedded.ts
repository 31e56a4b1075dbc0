/**
 * Embedded databases for tests. The shipped one may lack the latest migrations, so it is brought up to date once for all
 * runs, and copied.
 */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { cp, mkdir, mkdtemp, readFile, rename, rm } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import type { Database } from "../../src/database/database.ts";
import { openEmbeddedDatabase } from "../../src/database/embedded.ts";
import { migrate } from "../../src/database/migrations.ts";
import { DEFAULT_ENDPOINT } from "../../src/jobs/endpoints.ts";
import { createQueue } from "../../src/jobs/queue.ts";
import { threadEntry } from "./databases.ts";
import { root } from "./fixtures.ts";
import { temporaryFolder } from "./temporary.ts";

/** What an embedded database with its tables is made of. */
const SOURCES = [
  "node_modules/@electric-sql/pglite/package.json",
  "node_modules/pg-boss/package.json",
  "prepared/database.json",
  "src/database/migrations.ts",
  "src/jobs/queue.ts",
];

/** Puts an embedded database with its tables, and nothing in them, into `folder`, which must not exist. */
export async function copyEmptyDatabase(folder: string): Promise<void> {
  const prepared = await preparedFolder();
  // Three times as fast, for a thousand files.
  if (process.platform !== "win32") await promisify(execFile)("cp", ["-r", prepared, folder]);
  else await cp(prepared, folder, { recursive: true });
}

/** A data folder in which a service has run, without keys or jobs; it is removed when the test ends. */
export async function usedDataFolder(): Promise<string> {
  const folder = await temporaryFolder();
  await copyEmptyDatabase(path.join(folder, "database"));
  return folder;
}

export const openEmbedded = (folder: string, onError: (error: Error) => void = raise): Promise<Database> =>
  openEmbeddedDatabase({ folder, schema: "retouch", onError, threadEntry });

async function preparedFolder(): Promise<string> {
  const hash = createHash("sha256");
  for (const source of SOURCES) hash.update(await readFile(path.join(root, source)));
  const cache = path.join(root, ".cache", "embedded-database");
  const prepared = path.join(cache, hash.digest("hex").slice(0, 16));
  if (existsSync(prepared)) return prepared;
  await mkdir(cache, { recursive: true });
  const made = await mkdtemp(`${prepared}.`);
  const database = await openEmbedded(made);
  await migrate(database);
  const queue = createQueue(database, raise);
  await queue.start([DEFAULT_ENDPOINT]);
  await queue.stop();
  await database.close();
  // Where another test file was faster, its folder is as good.
  await rename(made, prepared).catch(() => rm(made, { recursive: true }));
  return prepared;
}

function raise(error: Error): never {
  throw error;
}
