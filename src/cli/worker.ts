/** `retouch worker`: workers without a server, for a database and a storage that others share. */
import { loadConfig } from "../config/config.ts";
import { RetouchError } from "../errors.ts";
import { createMaintenance } from "../jobs/maintenance.ts";
import { createLog } from "../log.ts";
import { openData } from "../service/data.ts";
import { createWorkers } from "../service/work.ts";

/** Runs until `signal`, then lets the running jobs end. @throws RetouchError with a sentence for the user */
export async function runWorker(signal: AbortSignal): Promise<void> {
  const config = loadConfig();
  if (config.databaseUrl === undefined) {
    throw new RetouchError(
      "CONFIG_INVALID",
      "DATABASE_URL must be set: a worker of its own shares a database with the server. Without one, `retouch serve` runs the workers.",
    );
  }
  if (config.workers === 0)
    throw new RetouchError("CONFIG_INVALID", "RETOUCH_WORKERS must be at least 1 here.");
  const log = createLog({ level: config.logLevel });
  const data = await openData({ config, log });
  const { context, storage } = data;
  const workers = createWorkers({ config, context, storage, log }, config.workers);
  const maintenance = createMaintenance(context, {
    deleteInput: (key) => storage.delete(key),
    onError: (error) => log.warn({ err: error }, "Housekeeping failed; it is tried again."),
  });
  maintenance.start();
  for (const worker of workers) worker.start();
  log.info({ workers: workers.map(({ id }) => id) }, "The workers have started.");
  await new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
  await Promise.all(workers.map((worker) => worker.stop()));
  await maintenance.stop();
  await data.close();
}
