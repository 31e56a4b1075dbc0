/** What a service costs that has nothing to do: the time of its start on an empty folder, its memory, and the processor. */
import { setTimeout as pause } from "node:timers/promises";
import { type Command, Server } from "../../tools/server.ts";
import { sharedTreeBytes, treeCpuSeconds } from "../memory.ts";
import { type DatabaseName, withDatabase } from "./databases.ts";

const IDLE_MS = 60_000;
/** What follows a start, such as compiling what it ran often. */
const SETTLE_MS = 120_000;

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

/**
 * @returns what share of one core the service and its engine process take in a minute without calls
 * @throws Error where there is no /proc
 */
export function measureIdleCpu(
  command: Command,
  signal: AbortSignal,
  database: DatabaseName = "PGlite",
): Promise<number> {
  const take = async (server: Server): Promise<number> => {
    await pause(SETTLE_MS, undefined, { signal });
    const before = treeCpuSeconds(server.process.pid!);
    await pause(IDLE_MS, undefined, { signal });
    const after = treeCpuSeconds(server.process.pid!);
    if (before === null || after === null)
      throw new Error("This system does not tell how long a process ran.");
    return (after - before) / (IDLE_MS / 1000);
  };
  return withServer(command, signal, take, database);
}

function withServer<Result>(
  command: Command,
  signal: AbortSignal,
  work: (server: Server) => Promise<Result>,
  database: DatabaseName = "PGlite",
): Promise<Result> {
  return withDatabase(database, async (settings) => {
    const server = await Server.start({ command, settings, signal });
    try {
      return await work(server);
    } finally {
      await server.stop();
    }
  });
}
