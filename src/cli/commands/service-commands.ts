/** The command lines of `retouch serve` and `retouch worker`. */
import type { Command } from "commander";
import { addServiceFlags, SERVE_FLAGS, type ServiceFlags, WORKER_FLAGS } from "../service-flags.ts";
import type { CommandContext } from "./context.ts";

const STOP = "Stopping when the running job has ended; once more stops at once.";

// They are loaded when they are called: an edit needs neither a server nor a database.
export function addServiceCommands(program: Command, { signal, setStopSentence }: CommandContext): void {
  const serve = program
    .command("serve")
    .summary("run the endpoint: HTTP server, queue and worker")
    .description(
      "Run the endpoint. Every setting is a variable of the environment or of .env (docs/configuration.md); " +
        "these flags count before them.",
    )
    .helpOption("-h, --help", "print this help");
  addServiceFlags(serve, SERVE_FLAGS).action(async (flags: ServiceFlags) => {
    setStopSentence(STOP);
    const { runServe } = await import("../serve.ts");
    return runServe(flags, signal);
  });
  const worker = program
    .command("worker")
    .summary("run workers for a server on another machine")
    .description(
      "Run workers that share DATABASE_URL and the storage with a server. Settings are those of retouch serve.",
    )
    .helpOption("-h, --help", "print this help");
  addServiceFlags(worker, WORKER_FLAGS).action(async (flags: ServiceFlags) => {
    setStopSentence(STOP);
    const { runWorker } = await import("../worker.ts");
    return runWorker(flags, signal);
  });
}
