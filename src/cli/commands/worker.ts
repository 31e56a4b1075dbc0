/** `retouch worker` on the command line. */
import { serviceOptions, type ServiceFlags, WORKER_FLAGS } from "../service-flags.ts";
import { command } from "./command.ts";
import { SERVICE_STOP } from "./serve.ts";

export const WORKER = command<ServiceFlags>({
  name: "worker",
  summary: "run workers for a server on another machine",
  description:
    "Run workers that share DATABASE_URL and the storage with a server. Settings are those of retouch serve.",
  options: serviceOptions(WORKER_FLAGS),
  stopSentence: SERVICE_STOP,
  run: async ({ flags, signal }) => (await import("../worker.ts")).runWorker(flags, signal),
});
