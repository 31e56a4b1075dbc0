/** The working half of a service: workers with their engine processes, as the settings say. */
import { createContentSigner } from "../c2pa/content-credentials.ts";
import { readContentCredentials } from "../config/c2pa-settings.ts";
import { loadCacheFolder } from "../config/config.ts";
import type { Config } from "../config/settings.ts";
import { importPipelines } from "../engine/import-pipelines.ts";
import type { JobsContext } from "../jobs/context.ts";
import { DEFAULT_ENDPOINT } from "../jobs/endpoints.ts";
import { filesOf } from "../jobs/job.ts";
import { createWorkQueue } from "../jobs/work-queue.ts";
import type { Log } from "../log.ts";
import { readMachineMemory, usableBytes } from "../machine/memory.ts";
import type { Storage } from "../storage/storage.ts";
import { createEnginePool, type EnginePool } from "../worker/engine-pool.ts";
import { createEngineProcess } from "../worker/engine-process.ts";
import type { EngineSetup } from "../worker/protocol.ts";
import { createWorker, type Worker } from "../worker/worker.ts";
import { storageOptions } from "./data.ts";
import { cachingEndpoints, type Endpoint, workedEndpoints } from "./endpoints.ts";

export interface EngineOptions {
  config: Config;
  log: Log;
  /** For tests: another program instead of the engine. */
  engineEntry?: URL | undefined;
  /** For tests: a module with other model families. */
  pipelinesModule?: URL | undefined;
}

export interface Engines {
  /** One for each worker. */
  readonly pools: readonly EnginePool[];
  /** Starts them before there are workers: loading networks takes as long as opening a database. */
  start(): void;
  close(): Promise<void>;
}

/**
 * Creates the engines of each worker that the settings ask for; none is started.
 * @throws RetouchError CONFIG_INVALID for a setting that none of their models has, and for a certificate that cannot sign
 */
export async function createEngines(options: EngineOptions): Promise<Engines> {
  const { config, log, engineEntry: entry, pipelinesModule } = options;
  const contentCredentials = readContentCredentials(config);
  if (contentCredentials !== undefined && config.workers > 0) await createContentSigner(contentCredentials);
  const endpoints = workedEndpoints(config);
  const pipelines = pipelinesModule && (await importPipelines(pipelinesModule));
  const { workers: count, memoryLimit: limitBytes = await shareOfMemory(count, endpoints.length) } = config;
  const caching =
    config.referenceCache && count > 0 ? await cachingEndpoints(endpoints, pipelines) : undefined;
  const pools = Array.from({ length: count }, () => {
    const engines = endpoints.map((endpoint) => {
      const { engine, ...rest } = engineSetup(config, endpoint, limitBytes);
      const referenceCache = caching?.includes(endpoint) ? config.referenceCache : undefined;
      const setup = {
        ...rest,
        engine: { ...engine, referenceCache, contentCredentials },
        pipelinesModule: pipelinesModule?.href,
      };
      const own = endpoints.length === 1 ? log : log.child({ endpoint: endpoint.id });
      return [endpoint.name, createEngineProcess({ setup, log: own, entry })] as const;
    });
    return createEnginePool(new Map(engines), { limitBytes });
  });
  return {
    pools,
    start() {
      // A worker asks again, and tells of what fails then.
      for (const pool of pools) pool.load(pool.endpoints[0]!).catch(() => {});
    },
    async close() {
      await Promise.all(pools.map((pool) => pool.close()));
    },
  };
}

/** Creates the engines for what is started with them; they are closed again where that cannot be. */
export async function withEngines<Started>(
  options: EngineOptions,
  start: (engines: Engines) => Promise<Started>,
): Promise<Started> {
  const engines = await createEngines(options);
  try {
    return await start(engines);
  } catch (error) {
    await engines.close();
    throw error;
  }
}

export interface WorkOptions {
  config: Config;
  context: JobsContext;
  storage: Storage;
  log: Log;
  /** Signs the receipts of results. @default they are not signed */
  receiptKey?: string | undefined;
}

/** Creates a worker for each pool of engines, which it owns from then on; none is started. */
export function createWorkers(
  { config, context, storage, log, receiptKey }: WorkOptions,
  engines: Engines,
): Worker[] {
  const queue = createWorkQueue(context);
  return engines.pools.map((pool) =>
    createWorker({
      queue,
      engines: pool,
      log,
      receiptKey,
      modelTurnMs: config.modelTurnMs,
      leaseRenewalMs: config.leaseRenewalMs,
      shutdownDeadlineMs: config.shutdownDeadlineMs,
      discard: async (result) => {
        for (const image of filesOf(result)) {
          if (image.kind === "stored" || image.kind === "embedded") await storage.delete(image.key);
        }
      },
      discardSource: (key) => storage.delete(key),
    }),
  );
}

/**
 * Bytes for each of several workers, which would otherwise all count on the same memory. A single worker with a single
 * engine measures for itself whenever that starts.
 * @param numEngines of each worker
 * @param root where `/proc` and `/sys` are @default the machine's own
 */
export async function shareOfMemory(
  count: number,
  numEngines = 1,
  root?: string,
): Promise<number | undefined> {
  if (count <= 1 && numEngines <= 1) return undefined;
  return Math.floor(usableBytes(await readMachineMemory(root)) / Math.max(1, count));
}

/** Single files and LoRAs are those of the default endpoint's checkpoint. */
function engineSetup(config: Config, endpoint: Endpoint, memoryLimit: number | undefined): EngineSetup {
  const { transformer, vae, textEncoder, loras, weights, threads, device, computeType, encodingCache } =
    config;
  const batch = config.batch === "auto" ? "auto" : Number(config.batch);
  const { checkpoint } = endpoint;
  const ofDefault = endpoint.name === DEFAULT_ENDPOINT ? { transformer, vae, textEncoder, loras } : {};
  const { price, allowPrivateHosts, imageMaxBytes, imageTimeoutMs } = config;
  return {
    engine: {
      checkpoint,
      // The shipped networks lose little time by it; larger ones would lose more.
      isMemoryReturned: checkpoint === undefined,
      ...ofDefault,
      weights,
      cacheFolder: loadCacheFolder(config.cacheDir),
      threads,
      memoryLimit,
      device,
      computeType,
      encodingCache,
      batch,
      maxPixels: config.imageMaxPixels,
      safety: {
        isOn: config.safety !== "off",
        isRequired: config.safety === "required",
        threshold: config.safetyThreshold,
      },
      isPromptInMetadata: config.metadataPrompt,
      isReceiptInMetadata: config.metadataReceipt,
    },
    storage: storageOptions(config),
    minFreeDiskBytes: config.minFreeDiskBytes,
    allowPrivateHosts,
    imageMaxBytes,
    imageTimeoutMs,
    price,
    flagged: config.flagged,
    resumeAfterMs: config.resumeAfterMs,
  };
}
