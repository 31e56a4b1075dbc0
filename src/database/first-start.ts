/** Makes the cluster of an embedded database that is started for the first time: all of it, or nothing. */
import fs from "node:fs";
import path from "node:path";
import { openCluster } from "./cluster.ts";
import { syncFolder, syncTree } from "./folder-sync.ts";
import { PREPARED_SCHEMA, putInPlace, unpackPrepared } from "./prepared.ts";

export interface FirstStart {
  folder: string;
  /** The schema that is used: the prepared one is dropped where it is another. */
  schema: string;
  /** Hears why the prepared database is not used, where it is not. */
  onNotice: (message: string) => void;
  onPanic: (reason: string) => never;
}

/**
 * Sees to it that there is a cluster in `folder`. It is made beside it, synced and renamed, so a process or a
 * machine that stops meanwhile leaves none.
 */
export async function ensureCluster({ folder, schema, onNotice, onPanic }: FirstStart): Promise<void> {
  if (fs.existsSync(path.join(folder, "PG_VERSION"))) return;
  const made = `${folder}.new`;
  fs.rmSync(made, { recursive: true, force: true });
  const missing = await unpackPrepared(made);
  if (missing !== undefined) {
    onNotice(`The embedded database is made from scratch: ${missing}.`);
    fs.mkdirSync(made, { mode: 0o700 });
    await initialize(made, onPanic);
  } else if (schema !== PREPARED_SCHEMA) {
    await dropPreparedSchema(made, onPanic);
  }
  await syncTree(made);
  putInPlace(made, folder);
  // The folder above may be new as well.
  syncFolder(path.dirname(path.dirname(folder)));
}

/**
 * Makes a cluster with one database in `folder`, which must be empty. The templates would be two thirds of its files; and
 * as nobody ever connects to them, their transaction ids would age until, after two thousand million transactions, PostgreSQL
 * refuses to write.
 */
export async function initialize(folder: string, onPanic: (reason: string) => never): Promise<void> {
  const cluster = await openCluster({ folder, isNew: true, onPanic });
  await cluster.query("update pg_database set datistemplate = false");
  await cluster.query("drop database template0");
  await cluster.query("drop database template1");
  await cluster.close();
}

async function dropPreparedSchema(folder: string, onPanic: (reason: string) => never): Promise<void> {
  const cluster = await openCluster({ folder, onPanic });
  await cluster.query(`drop schema "${PREPARED_SCHEMA}" cascade`);
  await cluster.query(`drop schema "${PREPARED_SCHEMA}_queue" cascade`);
  await cluster.close();
}
