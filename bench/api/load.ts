/** Load on a server, made by autocannon in this process. */
import autocannon, { type Request, type Result } from "autocannon";
import type { Server } from "../../tools/server.ts";

export const CONNECTIONS = 32;

/**
 * Sends the requests in turn for some seconds, over all connections at once.
 * @throws Error where any of them was refused or failed
 */
export async function load(
  server: Server,
  requests: Request[],
  seconds: number,
  connections = CONNECTIONS,
): Promise<Result> {
  const result = await autocannon({ url: server.address, connections, duration: seconds, requests });
  if (result.non2xx + result.errors > 0) {
    throw new Error(`${result.non2xx} calls were refused and ${result.errors} failed.`);
  }
  return result;
}
