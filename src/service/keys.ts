/** The API keys, wherever they are: through the server that runs on the data folder, or in the database itself. */
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Config } from "../config/settings.ts";
import { RetouchError } from "../errors.ts";
import { connectAdmin, type KeysAdmin } from "../keys/admin.ts";
import type { Log } from "../log.ts";
import { openData } from "./data.ts";

/** A server that has just begun owns the folder, and cannot be asked until its database is open. */
const PATIENCE_MS = 30_000;
const RETRY_MS = 250;

/** Does `work` with the keys. @throws RetouchError where neither a server nor the database can be had */
export async function withKeys<Result>(
  { config, log }: { config: Config; log: Log },
  work: (keys: KeysAdmin) => Promise<Result>,
): Promise<Result> {
  const folder = path.resolve(config.dataDir);
  const until = performance.now() + PATIENCE_MS;
  for (;;) {
    if (config.databaseUrl === undefined) {
      try {
        return await work(connectAdmin(folder));
      } catch (error) {
        if (!["ENOENT", "ECONNREFUSED"].includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
      }
    }
    try {
      const data = await openData({ config, log });
      try {
        return await work(data.keys);
      } finally {
        await data.close();
      }
    } catch (error) {
      const isBusy = error instanceof RetouchError && error.code === "DATA_DIR_IN_USE";
      if (!isBusy || performance.now() > until) throw error;
      await delay(RETRY_MS);
    }
  }
}
