/** Reaches the API keys and the reviews: through the server that runs on the data folder, or in the database itself. */
import { stat } from "node:fs/promises";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Config } from "../config/settings.ts";
import { lockFolder } from "../files/folder-lock.ts";
import { hasTables, migrate } from "../database/migrations.ts";
import { failure, RetouchError } from "../errors.ts";
import { createClock } from "../jobs/clock.ts";
import { createEvents } from "../jobs/events.ts";
import { createQueue } from "../jobs/queue.ts";
import { createReviews } from "../jobs/reviews.ts";
import { type Administered, connectAdmin, type KeysAdmin } from "../keys/admin.ts";
import { createKeys } from "../keys/keys.ts";
import type { Log } from "../log.ts";
import { DATABASE_FOLDER, openDatabase } from "./data.ts";

/** A server that has just started owns the folder, but cannot answer until its database is open. */
const PATIENCE_MS = 30_000;
const RETRY_MS = 250;

type Work<Result> = (administered: Administered) => Promise<Result>;

export interface KeysOptions {
  config: Config;
  log: Log;
  /** For tests, which run from source: the compiled thread of the embedded database. */
  threadEntry?: URL | undefined;
}

/** As {@link withAdmin}, with the keys alone. */
export const withKeys = <Result>(
  options: KeysOptions,
  work: (keys: KeysAdmin) => Promise<Result>,
): Promise<Result> => withAdmin(options, ({ keys }) => work(keys));

/**
 * Does `work` with the keys and reviews of a service that runs or has run. If there is none, nothing is created.
 * @throws RetouchError CONFIG_INVALID if there is none; if neither a server nor the database can be reached
 */
export async function withAdmin<Result>(options: KeysOptions, work: Work<Result>): Promise<Result> {
  if (options.config.databaseUrl !== undefined) return withDatabase(options, work);
  const folder = path.resolve(options.config.dataDir);
  const until = performance.now() + PATIENCE_MS;
  for (;;) {
    try {
      return await work(connectAdmin(folder));
    } catch (error) {
      const code = codeOf(error);
      if (code === "EACCES" || code === "EPERM") throw closed(folder, error);
      if (!["ENOENT", "ENOTDIR", "ECONNREFUSED"].includes(code)) throw error;
    }
    if (await isThere(folder, path.join(DATABASE_FOLDER, "PG_VERSION"))) {
      try {
        return await withFolder(options, folder, work);
      } catch (error) {
        const isBusy = error instanceof RetouchError && error.code === "DATA_DIR_IN_USE";
        if (!isBusy || performance.now() > until) throw error;
      }
    } else if (!(await isThere(folder, "lock")) || performance.now() > until) {
      throw new RetouchError("CONFIG_INVALID", failure("noService", { folder, field: "RETOUCH_DATA_DIR" }));
    }
    await delay(RETRY_MS);
  }
}

async function withFolder<Result>(options: KeysOptions, folder: string, work: Work<Result>): Promise<Result> {
  const lock = await lockFolder(folder);
  try {
    return await withDatabase(options, work, lock.lost);
  } finally {
    await lock.release();
  }
}

/** Opens neither the images nor the queue: neither is needed, and opening creates them if missing. */
async function withDatabase<Result>(
  options: KeysOptions,
  work: Work<Result>,
  lost?: AbortSignal,
): Promise<Result> {
  const { config, log } = options;
  const onError = (error: unknown): void => log.warn({ err: error }, "The database connection failed.");
  const database = await openDatabase(options, onError);
  // Another process owns the folder from then on; this one must not write another row.
  lost?.addEventListener("abort", () => void database.close().catch(onError));
  try {
    if (!database.isEmbedded && !(await hasTables(database))) throw noTables(config);
    await migrate(database);
    const events = createEvents(database.notifications);
    const keys = createKeys(database, events);
    const context = {
      database,
      // Not started: what is held has left it.
      queue: createQueue(database, onError),
      events,
      settings: config,
      clock: createClock(database, { leaseMs: config.leaseMs, isSoleOwner: database.isEmbedded }),
    };
    try {
      return await work({ keys, reviews: createReviews(context) });
    } finally {
      keys.close();
      events.close();
    }
  } finally {
    await database.close();
  }
}

function noTables({ databaseUrl = "", databaseSchema }: Config): RetouchError {
  const { host, pathname } = URL.canParse(databaseUrl)
    ? new URL(databaseUrl)
    : { host: "", pathname: "in DATABASE_URL" };
  return new RetouchError(
    "CONFIG_INVALID",
    `There is no service in the schema ${databaseSchema} of the database ${host}${pathname} (DATABASE_URL, ` +
      "RETOUCH_DATABASE_SCHEMA): start it there with `retouch serve`, or name its database.",
  );
}

async function isThere(folder: string, name: string): Promise<boolean> {
  try {
    await stat(path.join(folder, name));
    return true;
  } catch (error) {
    if (["ENOENT", "ENOTDIR"].includes(codeOf(error))) return false;
    throw closed(folder, error);
  }
}

const closed = (folder: string, cause: unknown): RetouchError =>
  new RetouchError(
    "CONFIG_INVALID",
    failure("about", {
      field: "RETOUCH_DATA_DIR",
      sentence: `${folder} is closed to this user; run the command as the user of the service.`,
    }),
    { cause },
  );

const codeOf = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? "";
