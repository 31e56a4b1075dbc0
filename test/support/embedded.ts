/** Embedded databases for tests. Making one takes seconds, so it is made once for all runs, and copied. */
import { cp, mkdir, mkdtemp, readFile, rename, rm } from "node:fs/promises";
import { existsSync } from "node:fs";
import path from "node:path";
import type { Database } from "../../src/database/database.ts";
import { openEmbeddedDatabase } from "../../src/database/embedded.ts";
import { threadEntry } from "./databases.ts";
import { root } from "./fixtures.ts";

const PACKAGE = path.join(root, "node_modules", "@electric-sql", "pglite", "package.json");

/** Puts an embedded database without any tables into `folder`, which must not exist. */
export async function copyEmptyDatabase(folder: string): Promise<void> {
  await cp(await preparedFolder(), folder, { recursive: true });
}

export const openEmbedded = (folder: string, onError: (error: Error) => void = raise): Promise<Database> =>
  openEmbeddedDatabase({ folder, schema: "retouch", onError, threadEntry });

async function preparedFolder(): Promise<string> {
  const { version } = JSON.parse(await readFile(PACKAGE, "utf8")) as { version: string };
  const cache = path.join(root, ".cache");
  const prepared = path.join(cache, `pglite-${version}`);
  if (existsSync(prepared)) return prepared;
  await mkdir(cache, { recursive: true });
  const made = await mkdtemp(`${prepared}.`);
  const database = await openEmbedded(made);
  await database.close();
  // Where another test file was faster, its folder is as good.
  await rename(made, prepared).catch(() => rm(made, { recursive: true }));
  return prepared;
}

function raise(error: Error): never {
  throw error;
}
