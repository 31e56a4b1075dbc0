/** Workers without a server, for a database and a storage that others share. */
import { failure, RetouchError } from "../errors.ts";
import { createMaintenance } from "../jobs/maintenance.ts";
import { openData } from "./data.ts";
import { createWorkers, type EngineOptions, type Engines, withEngines } from "./work.ts";

export interface Workers {
  /** Takes no more jobs, lets running ones end within the deadline, and closes everything, newest first. */
  close(): Promise<void>;
}

/** @throws RetouchError if the settings leave nothing to share or no worker, or the database is unavailable */
export async function startWorkers(options: EngineOptions): Promise<Workers> {
  const { config } = options;
  if (config.databaseUrl === undefined) {
    throw new RetouchError(
      "CONFIG_INVALID",
      failure("needed", {
        field: "DATABASE_URL",
        reason:
          "a worker of its own shares a database with the server. Without one, `retouch serve` runs the workers",
      }),
    );
  }
  if (config.workers === 0) {
    throw new RetouchError("CONFIG_INVALID", failure("least", { field: "RETOUCH_WORKERS", min: 1 }));
  }
  return withEngines(options, (engines) => startWith(engines, options));
}

async function startWith(engines: Engines, { config, log }: EngineOptions): Promise<Workers> {
  const data = await openData({ config, log, onOwned: engines.start });
  const { context, storage, receiptKeys } = data;
  const workers = createWorkers({ config, context, storage, log, receiptKey: receiptKeys.pem }, engines);
  const maintenance = createMaintenance(context, {
    deleteInput: (key) => storage.delete(key),
    onError: (error) => log.warn({ err: error }, "Housekeeping failed; it is tried again."),
  });
  maintenance.start();
  for (const worker of workers) worker.start();
  log.info({ workers: workers.map(({ id }) => id) }, "The workers have started.");
  return {
    async close() {
      await Promise.all(workers.map((worker) => worker.stop()));
      await maintenance.stop();
      await data.close();
    },
  };
}
