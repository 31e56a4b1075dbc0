/** The command lines of `retouch serve` and `retouch worker`. */
import type { Command } from "commander";
import type { CommandContext } from "./context.ts";

const STOP = "Stopping when the running job has ended; once more stops at once.";

// They are loaded when they are called: an edit needs neither a server nor a database.
export function addServiceCommands(program: Command, { signal, setStopSentence }: CommandContext): void {
  program
    .command("serve")
    .summary("run the endpoint: HTTP server, queue and worker")
    .description(
      "Run the endpoint. Settings are variables of the environment: docs/configuration.md lists them.",
    )
    .helpOption("-h, --help", "print this help")
    .action(async () => {
      setStopSentence(STOP);
      const { runServe } = await import("../serve.ts");
      return runServe(signal);
    });
  program
    .command("worker")
    .summary("run workers for a server on another machine")
    .description("Run workers that share DATABASE_URL and the storage with a server.")
    .helpOption("-h, --help", "print this help")
    .action(async () => {
      setStopSentence(STOP);
      const { runWorker } = await import("../worker.ts");
      return runWorker(signal);
    });
}
