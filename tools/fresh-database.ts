/** An embedded database made from nothing, by initdb and all migrations: what the prepared one is, and is compared with. */
import { pathToFileURL } from "node:url";
import path from "node:path";
import { openCluster } from "../src/database/cluster.ts";
import type { Database } from "../src/database/database.ts";
import { openEmbeddedDatabase } from "../src/database/embedded.ts";
import { initialize } from "../src/database/first-start.ts";
import { migrate } from "../src/database/migrations.ts";
import { PREPARED_SCHEMA } from "../src/database/prepared.ts";
import { DEFAULT_ENDPOINT } from "../src/jobs/endpoints.ts";
import { createQueue } from "../src/jobs/queue.ts";
import { ROOT } from "./paths.ts";

function raise(reason: Error | string): never {
  throw reason instanceof Error ? reason : new Error(reason);
}

/** Makes it in `folder`, an empty one, without a row that an installation would write. */
export async function makeFreshDatabase(folder: string): Promise<void> {
  await initialize(folder, raise);
  const database = await openEmbeddedDatabase({
    folder,
    schema: PREPARED_SCHEMA,
    onError: raise,
    threadEntry: pathToFileURL(path.join(ROOT, "dist", "database", "embedded-thread.js")),
  });
  await bringUpToDate(database);
  await database.close();
  const cluster = await openCluster({ folder, onPanic: raise });
  // pg-boss's notes on the process and the machine that made it.
  await cluster.query(`delete from ${PREPARED_SCHEMA}_queue.instance`);
  await cluster.query("vacuum (full, freeze)");
  await cluster.query("vacuum (freeze, analyze)");
  // So that the last segments of its WAL are empty.
  await cluster.query("checkpoint");
  await cluster.close();
}

/** Applies all migrations, and makes the queue's tables. */
export async function bringUpToDate(database: Database): Promise<void> {
  await migrate(database);
  const queue = createQueue(database, raise);
  await queue.start([DEFAULT_ENDPOINT]);
  await queue.stop();
}
