/** What a service costs that has nothing to do: the time of its start on an empty folder, and its memory a minute later. */
import { setTimeout as pause } from "node:timers/promises";
import { type Command, Server } from "../../tools/server.ts";
import { sharedTreeBytes } from "../memory.ts";
import { withDatabase } from "./databases.ts";

const IDLE_MS = 60_000;

/** @returns seconds from the start of the process to /readyz */
export function measureFirstStart(command: Command, signal: AbortSignal): Promise<number> {
  return withServer(command, signal, (server) => Promise.resolve(server.readySeconds));
}

/**
 * @returns the memory of the service and its engine process a minute after a first start, mebibytes
 * @throws Error where there is no /proc
 */
export function measureIdleMemory(command: Command, signal: AbortSignal): Promise<number> {
  return withServer(command, signal, async (server) => {
    await pause(IDLE_MS, undefined, { signal });
    const bytes = sharedTreeBytes(server.process.pid!);
    if (bytes === null) throw new Error("This system does not tell how much memory a process takes.");
    return bytes / 2 ** 20;
  });
}

function withServer<Result>(
  command: Command,
  signal: AbortSignal,
  work: (server: Server) => Promise<Result>,
): Promise<Result> {
  return withDatabase("PGlite", async (settings) => {
    const server = await Server.start({ command, settings, signal });
    try {
      return await work(server);
    } finally {
      await server.stop();
    }
  });
}
