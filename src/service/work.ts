/** The working half of a service: workers with their engine processes, as the settings say. */
import { loadCacheFolder } from "../config/config.ts";
import type { Config } from "../config/settings.ts";
import type { JobsContext } from "../jobs/context.ts";
import { createWorkQueue } from "../jobs/work-queue.ts";
import type { Log } from "../log.ts";
import { readMachineMemory, usableBytes } from "../machine/memory.ts";
import type { Storage } from "../storage/storage.ts";
import { createEngineProcess, type EngineProcess } from "../worker/engine-process.ts";
import type { EngineSetup } from "../worker/protocol.ts";
import { createWorker, type Worker } from "../worker/worker.ts";
import { storageOptions } from "./data.ts";

export interface EngineOptions {
  config: Config;
  log: Log;
  /** For tests: another program instead of the engine. */
  engineEntry?: URL | undefined;
  /** For tests: a module with other model families. */
  pipelinesModule?: URL | undefined;
}

export interface Engines {
  readonly processes: readonly EngineProcess[];
  /** Starts them before there are workers: loading networks takes as long as opening a database. */
  start(): void;
  close(): Promise<void>;
}

/** Creates an engine for each worker that the settings ask for; none is started. */
export async function createEngines(options: EngineOptions): Promise<Engines> {
  const { config, log, engineEntry, pipelinesModule } = options;
  const { workers: count, memoryLimit = await shareOfMemory(count) } = config;
  const setup = { ...engineSetup(config, memoryLimit), pipelinesModule: pipelinesModule?.href };
  const processes = Array.from({ length: count }, () =>
    createEngineProcess({ setup, log, entry: engineEntry }),
  );
  return {
    processes,
    start() {
      // A worker asks again, and tells of what fails then.
      for (const engine of processes) engine.ready().catch(() => {});
    },
    async close() {
      await Promise.all(processes.map((engine) => engine.close()));
    },
  };
}

export interface WorkOptions {
  config: Config;
  context: JobsContext;
  storage: Storage;
  log: Log;
}

/** Creates a worker for each engine, which it owns from then on; none is started. */
export function createWorkers({ config, context, storage, log }: WorkOptions, engines: Engines): Worker[] {
  const queue = createWorkQueue(context);
  return engines.processes.map((engine) =>
    createWorker({
      queue,
      engine,
      log,
      leaseRenewalMs: config.leaseRenewalMs,
      shutdownDeadlineMs: config.shutdownDeadlineMs,
      discard: async ({ image }) => {
        if (image.kind === "stored" || image.kind === "embedded") await storage.delete(image.key);
      },
      discardSource: (key) => storage.delete(key),
    }),
  );
}

/**
 * Bytes for each of several workers, which would otherwise all count on the same memory. A single worker
 * measures for itself whenever its engine starts.
 * @param root where `/proc` and `/sys` are @default the machine's own
 */
export async function shareOfMemory(count: number, root?: string): Promise<number | undefined> {
  return count > 1 ? Math.floor(usableBytes(await readMachineMemory(root)) / count) : undefined;
}

function engineSetup(config: Config, memoryLimit: number | undefined): EngineSetup {
  const { checkpoint, transformer, vae, textEncoder, loras, weights, threads, device, computeType } = config;
  const { price, allowPrivateHosts, imageMaxBytes, imageTimeoutMs } = config;
  return {
    engine: {
      checkpoint,
      // The shipped networks lose little time by it; larger ones would lose more.
      isMemoryReturned: checkpoint === undefined,
      transformer,
      vae,
      textEncoder,
      weights,
      cacheFolder: loadCacheFolder(config.cacheDir),
      loras,
      threads,
      memoryLimit,
      device,
      computeType,
      maxPixels: config.imageMaxPixels,
      safety: {
        isOn: config.safety !== "off",
        isRequired: config.safety === "required",
        threshold: config.safetyThreshold,
      },
      isPromptInMetadata: config.metadataPrompt,
    },
    storage: storageOptions(config),
    allowPrivateHosts,
    imageMaxBytes,
    imageTimeoutMs,
    price,
    resumeAfterMs: config.resumeAfterMs,
  };
}
