/** The working half of a service: workers with their engine processes, by the settings. */
import { loadCacheFolder } from "../config/config.ts";
import type { Config } from "../config/settings.ts";
import type { JobsContext } from "../jobs/context.ts";
import { createWorkQueue } from "../jobs/work-queue.ts";
import type { Log } from "../log.ts";
import type { Storage } from "../storage/storage.ts";
import { createEngineProcess } from "../worker/engine-process.ts";
import type { EngineSetup } from "../worker/protocol.ts";
import { createWorker, type Worker } from "../worker/worker.ts";
import { storageOptions } from "./data.ts";

export interface WorkOptions {
  config: Config;
  context: JobsContext;
  storage: Storage;
  log: Log;
  /** For tests: another program in place of the engine. */
  engineEntry?: URL | undefined;
}

/** Makes as many workers as asked for; none is started. */
export function createWorkers(
  { config, context, storage, log, engineEntry }: WorkOptions,
  count: number,
): Worker[] {
  const setup = engineSetup(config);
  const queue = createWorkQueue(context);
  return Array.from({ length: count }, () =>
    createWorker({
      queue,
      engine: createEngineProcess({ setup, log, entry: engineEntry }),
      log,
      leaseRenewalMs: config.leaseRenewalMs,
      shutdownDeadlineMs: config.shutdownDeadlineMs,
      discard: async ({ image }) => {
        if (image.kind === "stored") await storage.delete(image.key);
      },
    }),
  );
}

function engineSetup(config: Config): EngineSetup {
  const { checkpoint, transformer, vae, textEncoder, loras, threads, memoryLimit, device } = config;
  const { weights, price, allowPrivateHosts } = config;
  const { imageMaxBytes, imageMaxPixels, imageTimeoutMs } = config;
  return {
    checkpoint,
    transformer,
    vae,
    textEncoder,
    weights,
    cacheFolder: loadCacheFolder(),
    loras,
    threads,
    memoryLimit,
    device,
    safety: {
      isOn: config.safety !== "off",
      isRequired: config.safety === "required",
      threshold: config.safetyThreshold,
    },
    isPromptInMetadata: config.metadataPrompt,
    storage: storageOptions(config),
    allowPrivateHosts,
    imageMaxBytes,
    imageMaxPixels,
    imageTimeoutMs,
    price,
  };
}
