/** `retouch worker`: workers without a server, for a database and a storage that others share. */
import { loadConfig } from "../config/config.ts";
import { createLog } from "../log.ts";
import { workedEndpoints } from "../service/endpoints.ts";
import { startWorkers } from "../service/workers.ts";
import { withCheckpointFolders } from "./checkpoint.ts";
import { type ServiceFlags, withServiceFlags } from "./service-flags.ts";

/**
 * Runs until `signal` aborts, then lets running jobs end.
 * @throws RetouchError with a sentence for the user
 */
export function runWorker(flags: ServiceFlags, signal: AbortSignal): Promise<void> {
  return withServiceFlags(flags, (variables) => work(variables, signal));
}

async function work(variables: Record<string, string>, signal: AbortSignal): Promise<void> {
  const settings = loadConfig(variables);
  // Checkpoints that others serve need not be on this machine.
  const config = await withCheckpointFolders(settings, workedEndpoints(settings));
  const workers = await startWorkers({ config, log: createLog({ level: config.logLevel }) });
  await new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
  await workers.close();
}
