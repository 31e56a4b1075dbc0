/**
 * A server or a worker as `retouch serve` and `retouch worker` run them, with another engine where one is named. Its
 * settings are environment variables.
 * Arguments: serve or worker, URL of the engine's compiled program or "real", API keys with commas between them
 */
import { loadConfig } from "../src/config/config.ts";
import { createLog } from "../src/log.ts";
import { startService } from "../src/service/service.ts";
import { startWorkers } from "../src/service/workers.ts";

const [role, engine, keys = ""] = process.argv.slice(2);
// Ends with the process that started it, however that ended.
process.stdin.on("end", () => process.kill(process.pid, "SIGKILL")).resume();
const interruption = new Promise<void>((resolve) => process.once("SIGTERM", () => resolve()));

const config = loadConfig();
const log = createLog({ level: config.logLevel });
const engineEntry = engine === "real" ? undefined : new URL(engine!);
try {
  if (role === "serve") {
    const service = await startService({ config, log, engineEntry });
    for (const key of keys.split(",")) await service.keys.ensure(key, key);
    service.data.lost?.addEventListener("abort", () => {
      log.error("The folder was taken over.");
      process.exit(3);
    });
    await interruption;
    await service.close({ drainMs: config.drainDelayMs });
  } else {
    const workers = await startWorkers({ config, log, engineEntry });
    await interruption;
    await workers.close();
  }
  process.exit(0);
} catch (error) {
  log.error({ err: error }, "The program ends.");
  process.exit(1);
}
