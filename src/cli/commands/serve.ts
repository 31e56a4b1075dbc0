/** `retouch serve` on the command line. */
import { SERVE_FLAGS, serviceOptions, type ServiceFlags } from "../service-flags.ts";
import { command } from "./command.ts";

/** For a server, and for workers without one. */
export const SERVICE_STOP = "Stopping when the running job has ended; a second signal stops at once.";

export const SERVE = command<ServiceFlags>({
  name: "serve",
  summary: "run the endpoint: HTTP server, queue and worker",
  description:
    "Run the endpoint. Every setting is a variable of the environment or of .env (docs/configuration.md); " +
    "these flags override them.",
  options: serviceOptions(SERVE_FLAGS),
  stopSentence: SERVICE_STOP,
  // Loaded on demand: an edit needs neither a server nor a database.
  run: async ({ flags, signal }) => (await import("../serve.ts")).runServe(flags, signal),
});
