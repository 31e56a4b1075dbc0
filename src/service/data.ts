/** Opens what any program of the service keeps: the database with jobs, queue and keys, and the images. */
import { randomBytes } from "node:crypto";
import path from "node:path";
import type { Config } from "../config/settings.ts";
import { connectDatabase, type Database } from "../database/database.ts";
import { openEmbeddedDatabase } from "../database/embedded.ts";
import { lockFolder } from "../files/folder-lock.ts";
import { migrate, quoted } from "../database/migrations.ts";
import { createClock } from "../jobs/clock.ts";
import type { JobsContext } from "../jobs/context.ts";
import { createCounters } from "../jobs/endpoints.ts";
import { createEvents } from "../jobs/events.ts";
import { abandonLeases } from "../jobs/maintenance.ts";
import { createQueue } from "../jobs/queue.ts";
import { createKeys, type StoredKeys } from "../keys/keys.ts";
import type { Log } from "../log.ts";
import { openStorage, type StorageOptions } from "../storage/open.ts";
import type { Storage } from "../storage/storage.ts";
import { endpointsOf } from "./endpoints.ts";
import { openReceiptKeys, type ReceiptKeys } from "./receipt-keys.ts";

export interface Data {
  context: JobsContext;
  database: Database;
  keys: StoredKeys;
  storage: Storage;
  /** Signs the URLs of results; made once, the same for all servers on this database. */
  secret: string;
  /** They sign the receipts of results. */
  receiptKeys: ReceiptKeys;
  /** Aborts when the data folder's lock is lost: by hand, or after this process stood still too long. */
  lost: AbortSignal | undefined;
  close(): Promise<void>;
}

const SECRET_BYTES = 32;
export const DATABASE_FOLDER = "database";
const FILES_FOLDER = "files";

export interface DataOptions {
  config: Config;
  log: Log;
  /** For tests, which run from source: the compiled thread. */
  threadEntry?: URL | undefined;
  /** Called once the data folder is this process's own, where it has one, before anything is opened. */
  onOwned?: (() => void) | undefined;
}

/** Where images are stored, according to the settings. */
export function storageOptions(config: Config): StorageOptions {
  const { s3Bucket, s3AccessKeyId, s3SecretAccessKey } = config;
  if (s3Bucket === undefined) return { kind: "local", folder: path.resolve(config.dataDir, FILES_FOLDER) };
  return {
    kind: "s3",
    bucket: s3Bucket,
    region: config.s3Region,
    endpoint: config.s3Endpoint,
    credentials:
      s3AccessKeyId === undefined || s3SecretAccessKey === undefined
        ? undefined
        : { accessKeyId: s3AccessKeyId, secretAccessKey: s3SecretAccessKey },
    prefix: config.s3Prefix,
  };
}

/** @throws RetouchError DATA_DIR_IN_USE, DATABASE_UNAVAILABLE, STORAGE_UNAVAILABLE */
export async function openData(options: DataOptions): Promise<Data> {
  const { config, log } = options;
  const onError = (error: unknown): void => log.warn({ err: error }, "The database connection failed.");
  // The lock comes before everything else: a process that is refused has touched nothing.
  const lock = config.databaseUrl === undefined ? await lockFolder(path.resolve(config.dataDir)) : undefined;
  options.onOwned?.();
  let database: Database | undefined;
  try {
    const storage = await openStorage(storageOptions(config));
    await storage.prepare();
    database = await openDatabase(options, onError, (text) => log.info(text));
    await migrate(database);
    const queue = createQueue(database, onError);
    const endpoints = endpointsOf(config).map(({ name }) => name);
    await queue.start(endpoints);
    await createCounters(database, endpoints);
    const events = createEvents(database.notifications);
    const clock = createClock(database, { leaseMs: config.leaseMs, isSoleOwner: database.isEmbedded });
    const context: JobsContext = { database, queue, events, settings: config, clock };
    // Nobody else can use an embedded database: any worker that was running a job there is gone.
    if (database.isEmbedded) await abandonLeases(context);
    const keys = createKeys(database, events);
    const secret = await ensureSecret(database);
    const receiptKeys = await openReceiptKeys(database, config);
    const opened = database;
    // Another process owns the folder from now on; this one must not write another row.
    lock?.lost.addEventListener("abort", () => void opened.close().catch(onError));
    return {
      context,
      database,
      keys,
      storage,
      secret,
      receiptKeys,
      lost: lock?.lost,
      async close() {
        keys.close();
        events.close();
        await queue.stop();
        await opened.close();
        await lock?.release();
      },
    };
  } catch (error) {
    await database?.close();
    await lock?.release();
    throw error;
  }
}

/** @throws RetouchError DATABASE_UNAVAILABLE */
export function openDatabase(
  { config, threadEntry }: Pick<DataOptions, "config" | "threadEntry">,
  onError: (error: unknown) => void,
  onNotice?: (text: string) => void,
): Promise<Database> {
  const { databaseUrl: url, databaseSchema: schema } = config;
  if (url !== undefined) return connectDatabase({ url, schema, onError });
  const folder = path.resolve(config.dataDir, DATABASE_FOLDER);
  return openEmbeddedDatabase({ folder, schema, onError, onNotice, threadEntry });
}

async function ensureSecret(database: Database): Promise<string> {
  const schema = quoted(database.schema);
  await database.query(`insert into ${schema}.secrets values ('files', $1) on conflict do nothing`, [
    randomBytes(SECRET_BYTES).toString("base64url"),
  ]);
  const [row] = await database.query<{ value: string }>(
    `select value from ${schema}.secrets where name = 'files'`,
  );
  return row!.value;
}
