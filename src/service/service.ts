/** The service as one program: data, server, workers and maintenance, started and stopped together. */
import { readdirSync } from "node:fs";
import { statfs } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { FastifyInstance } from "fastify";
import type { Config } from "../config/settings.ts";
import { type Failure, failure, RetouchError } from "../errors.ts";
import { createAllowances } from "../jobs/allowances.ts";
import { createMaintenance } from "../jobs/maintenance.ts";
import { findNeeded } from "../jobs/pictures.ts";
import { createJobs, createSurroundings } from "../jobs/owner-jobs.ts";
import { createOperations } from "../jobs/operations.ts";
import { createReviews } from "../jobs/reviews.ts";
import { createWebhooks } from "../jobs/webhooks.ts";
import type { WorkerRecord } from "../jobs/job.ts";
import { readFleet } from "../jobs/workers.ts";
import { startAdminServer } from "../keys/admin.ts";
import type { StoredKeys } from "../keys/keys.ts";
import { importPipelines } from "../engine/import-pipelines.ts";
import type { EditDefaults } from "../engine/model-traits.ts";
import type { Log } from "../log.ts";
import { createAddressPolicy } from "../net/address-policy.ts";
import { createAgents } from "../net/agents.ts";
import { connectionFailure } from "../net/failures.ts";
import { createHttpClient } from "../net/http-client.ts";
import { isRefusedLiterally } from "../net/literal-address.ts";
import { addressIn, createApp } from "../server/app.ts";
import { embedResult } from "../server/embedded-results.ts";
import type { Readings } from "../server/metrics.ts";
import type { Disk } from "../server/operator/routes.ts";
import type { NotReady } from "../server/routes/operations.ts";
import { listenAt } from "../server/localhost.ts";
import type { ModelTraits } from "../server/schemas.ts";
import { webhookBody } from "../server/webhook-body.ts";
import { createFreeSpace } from "../storage/free-space.ts";
import { createSignedUrls } from "../storage/signed-urls.ts";
import { createSweeper } from "../storage/sweeper.ts";
import type { StorageWatch } from "../storage/watch.ts";
import { totalOfEncodings } from "../worker/encoding-total.ts";
import { createDownload } from "../worker/download-picture.ts";
import { createMaskChecker } from "../worker/mask-checker.ts";
import { createPictureConverter } from "../worker/picture-converter.ts";
import type { Worker } from "../worker/worker.ts";

import { type Data, openData } from "./data.ts";
import { endpointsOf, readTraits } from "./endpoints.ts";
import { watchStorage } from "./watched-storage.ts";
import { createWorkers, type Engines, withEngines } from "./work.ts";

export interface ServiceOptions {
  config: Config;
  log: Log;
  /** For tests: compiled programs instead of the shipped ones. */
  threadEntry?: URL | undefined;
  engineEntry?: URL | undefined;
  maskEntry?: URL | undefined;
  pictureEntry?: URL | undefined;
  /** For tests: a module with other `PIPELINES`. */
  pipelinesModule?: URL | undefined;
}

export interface Service {
  /** URL of the server, without a trailing slash. */
  address: string;
  /** What the default endpoint's model does where an edit does not choose. */
  defaults: EditDefaults;
  keys: StoredKeys;
  app: FastifyInstance;
  data: Data;
  /**
   * Takes no more jobs, lets running ones end by the deadline, and closes all, newest first.
   * @param options.drainMs how long calls are still taken, with a reply of 503 on /readyz @default 0
   */
  close(options?: { drainMs?: number | undefined }): Promise<void>;
}

const EXAMPLES = fileURLToPath(new URL("../../examples", import.meta.url));
/** The built pages, wherever this file itself runs from. */
const PAGES = fileURLToPath(new URL("../../dist/web", import.meta.url));
const FLEET_REFRESH_MS = 5000;
/** How old the latest news of the storage may be when somebody asks whether it works. */
const STORAGE_FRESH_MS = 30_000;
/** How long each question of a readiness probe waits for the database. */
const READY_MS = 2000;

/** @throws RetouchError if a port, a folder or a database is not available */
export async function startService(options: ServiceOptions): Promise<Service> {
  const { config, pipelinesModule } = options;
  const pipelines = pipelinesModule && (await importPipelines(pipelinesModule));
  const models: ModelTraits[] = [];
  // Before anything is begun: a server with a model that it cannot offer is refused.
  for (const endpoint of endpointsOf(config)) models.push(await readTraits(endpoint, pipelines));
  return withEngines(options, (engines) => startWith(engines, models, options));
}

async function startWith(
  engines: Engines,
  models: readonly ModelTraits[],
  options: ServiceOptions,
): Promise<Service> {
  const { config, log, threadEntry, maskEntry, pictureEntry } = options;
  const policy = createAddressPolicy(config.allowPrivateHosts);
  const agents = createAgents(policy);
  const data = await openData({ config, log, threadEntry, onOwned: engines.start });
  const { context, keys } = data;
  const { storage, watch } = watchStorage(data.storage, log);
  const onError = (error: unknown): void =>
    log.warn({ err: error }, "Housekeeping failed; it is tried again.");
  const reviews = createReviews(context);
  const signedUrls = createSignedUrls({ secret: data.secret, lifetimeMs: config.fileLifetimeMs });
  const fleet = watchFleet(data, onError);
  const workers = createWorkers({ config, context, storage, log, receiptKey: data.receiptKeys.pem }, engines);
  const masks = createMaskChecker({
    maxPixels: config.imageMaxPixels,
    entry: maskEntry,
    onError: (reason) => log.warn(reason),
  });
  const converter = createPictureConverter({ maxPixels: config.imageMaxPixels, entry: pictureEntry });
  const client = createHttpClient(agents);
  let isStopping = false;
  const surroundings = createSurroundings(context);
  const app = await createApp({
    config,
    endpoints: endpointsOf(config).map(({ id, name }, index) => ({
      id,
      name,
      jobs: createJobs(context, name, surroundings),
      model: models[index]!,
    })),
    keys,
    storage,
    signedUrls,
    receiptKeys: data.receiptKeys.published,
    freeSpace: createFreeSpace({
      folder: path.resolve(config.dataDir),
      // If neither the database nor the images are on this machine, its disk does not matter.
      minFreeBytes: isOnDisk(config) ? config.minFreeDiskBytes : 0,
    }),
    log,
    examples: listExamples(),
    isRefusedAddress: (url) => isRefusedLiterally(policy, url),
    // Where others work, no picture of a stranger's is decoded here.
    checkMask: config.workers > 0 ? masks.check : undefined,
    operator: {
      operations: createOperations(context),
      reviews,
      keys,
      disk: async () => (isOnDisk(config) ? readDisk(config) : undefined),
    },
    pictures: {
      download: createDownload(client, config),
      convert: config.workers > 0 ? converter.convert : undefined,
    },
    pagesFolder: PAGES,
    notReady: async () => (isStopping ? "stopping" : notReady(data, watch, workers)),
    isStopping: () => isStopping,
    runningWorkers: fleet.running,
    readings: encodingReadings(engines),
    // An embedded database has one server.
    allowances: data.database.isEmbedded ? undefined : createAllowances(data.database),
  });
  const maintenance = createMaintenance(context, { deleteInput: (key) => storage.delete(key), onError });
  const sweeper = createSweeper({
    storage,
    lifetimeMs: config.fileLifetimeMs,
    findNeeded: (keys) => findNeeded(context, keys),
    mayDelete: () => context.clock.latest().mayDelete,
    onError,
  });
  const addressOf = addressIn(config, signedUrls);
  const webhooks = createWebhooks({
    context,
    settings: config,
    post: client.post,
    render: async (job) =>
      webhookBody(await embedResult(storage, job), { addressOf, publicUrl: config.publicUrl }),
    failureOf: connectionFailure,
    log,
  });

  // Other programs can connect to a database server themselves.
  const admin = data.database.isEmbedded
    ? await startAdminServer(path.resolve(config.dataDir), { keys, reviews })
    : undefined;
  let closing: Promise<void> | undefined;
  const close: Service["close"] = ({ drainMs = 0 } = {}) => {
    closing ??= (async () => {
      isStopping = true;
      const stopping = Promise.all(workers.map((worker) => worker.stop()));
      // Whoever sends calls here has to notice first; until then, all are answered.
      if (drainMs > 0) await delay(drainMs);
      await app.close();
      masks.close();
      converter.close();
      await stopping;
      watch.stop();
      fleet.stop();
      // Each waits some seconds for a database or a storage that does not answer.
      await Promise.all([webhooks.stop(), sweeper.stop(), maintenance.stop()]);
      await admin?.close();
      await data.close();
    })();
    return closing;
  };
  try {
    // Before anyone can call with it.
    if (config.apiKey !== undefined) await keys.ensure(config.apiKey, "RETOUCH_API_KEY");
    const address = await listen(app, config);
    await maintenance.run();
    maintenance.start();
    sweeper.start();
    webhooks.start();
    for (const worker of workers) worker.start();
    return { address, defaults: models[0]!.defaults, keys, app, data, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Of the workers in this program. */
function encodingReadings({ pools }: Engines): Readings {
  const counts = () => totalOfEncodings(pools);
  return {
    retouch_encoding_hits_total: {
      help: "Prompts and images that were not encoded again, by workers of this program.",
      read: () => counts().hits,
      isGrowing: true,
    },
    retouch_encoding_misses_total: {
      help: "Prompts and images that were encoded, by workers of this program.",
      read: () => counts().misses,
      isGrowing: true,
    },
    retouch_encoding_bytes: {
      help: "Bytes of encoded prompts and images in memory, by workers of this program.",
      read: () => counts().bytes,
    },
  };
}

/** Room on the disk of the data folder; nothing where the system cannot tell. */
async function readDisk({ dataDir, minFreeDiskBytes: keptFreeBytes }: Config): Promise<Disk | undefined> {
  const found = await statfs(path.resolve(dataDir)).catch(() => undefined);
  if (found === undefined) return undefined;
  const { bavail, blocks, bsize } = found;
  return { freeBytes: bavail * bsize, totalBytes: blocks * bsize, keptFreeBytes };
}

const isOnDisk = ({ databaseUrl, s3Bucket }: Config): boolean =>
  databaseUrl === undefined || s3Bucket === undefined;

async function listen(app: FastifyInstance, { host, port }: Config): Promise<string> {
  try {
    await listenAt(app, { host, port });
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    const about = (field: string, sentence: string): Failure => failure("about", { field, sentence });
    const reasons: Record<string, Failure> = {
      EADDRINUSE: failure("portInUse", { field: "RETOUCH_PORT", port, next: port + 1 }),
      EACCES: about("RETOUCH_PORT", `the port ${port} needs more rights than this user has.`),
      EADDRNOTAVAIL: about("RETOUCH_HOST", `this machine has no address ${host}.`),
      ENOTFOUND: about("RETOUCH_HOST", `there is no host ${host}.`),
    };
    const reason = reasons[code ?? ""];
    if (reason === undefined) throw cause;
    throw new RetouchError("CONFIG_INVALID", reason, { cause });
  }
  const { address, family, port: bound } = app.server.address() as AddressInfo;
  const shown = family === "IPv6" ? `[${address}]` : address;
  // A browser cannot open "every address".
  const isEvery = shown === "0.0.0.0" || shown === "[::]";
  return `http://${isEvery ? "127.0.0.1" : shown}:${bound}`;
}

/** Ready: database and storage work, and a worker here or elsewhere has warmed up and can reach them. */
async function notReady(
  data: Data,
  storage: StorageWatch,
  workers: readonly Worker[],
): Promise<NotReady | undefined> {
  try {
    // Probes do not wait long for an answer. Anyone may send them: they share no connection with signs of life.
    const fleet = await readFleet(data.context, { limitMs: READY_MS });
    // A server that nobody calls learns of it here.
    storage.look(STORAGE_FRESH_MS);
    if (storage.isAway) return "storage";
    if (fleet.workers.some(isReady)) return undefined;
    // The worker has logged the reason, here or elsewhere.
    const known = [...workers.map((worker) => worker.status()), ...fleet.workers];
    return known.map(({ fault }) => fault).find((fault) => fault !== undefined) ?? "worker";
  } catch {
    return "database";
  }
}

const isReady = ({ status }: Pick<WorkerRecord, "status">): boolean =>
  status === "idle" || status === "running";

/** How many workers report being alive, for limits that grow with them. */
function watchFleet(
  data: Data,
  onError: (error: unknown) => void,
): { running: () => number; stop: () => void } {
  let running = 0;
  let reading: Promise<void> | undefined;
  const timer = setInterval(() => {
    // One at a time: those that wait for a silent database must not use up its connections.
    reading ??= readFleet(data.context)
      .then(({ workers }) => void (running = workers.filter(isReady).length), onError)
      .finally(() => (reading = undefined));
  }, FLEET_REFRESH_MS);
  return { running: () => running, stop: () => clearInterval(timer) };
}

function listExamples(): Map<string, string> {
  const names = readdirSync(EXAMPLES).filter((name) => name.endsWith(".png"));
  return new Map(names.map((name) => [name, path.join(EXAMPLES, name)]));
}
