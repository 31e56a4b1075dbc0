/** `localhost` is two addresses. Fastify would start a second server, whose connections nobody supervises. */
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import type { FastifyInstance } from "fastify";
import { CONNECTION_TIMES } from "./connection-times.ts";

const [IPV4, IPV6] = ["127.0.0.1", "::1"];

/**
 * Makes `app` listen. If `host` is localhost, its IPv6 address leads to the same server, if this machine has
 * one.
 * @throws Node's error if the address or the port is not available
 */
export async function listenAt(
  app: FastifyInstance,
  { host, port }: { host: string; port: number },
): Promise<void> {
  const isLocalhost = host.toLowerCase() === "localhost";
  await app.listen({ host: isLocalhost ? IPV4 : host, port });
  if (!isLocalhost) return;
  const other = createServer(
    { allowHalfOpen: true, noDelay: true, keepAlive: true, keepAliveInitialDelay: CONNECTION_TIMES.probeMs },
    (socket) => void app.server.emit("connection", socket),
  );
  app.server.once("close", () => other.close());
  const { port: bound } = app.server.address() as AddressInfo;
  other.listen({ host: IPV6, port: bound });
  // Without IPv6 there is only one address.
  await once(other, "listening").catch(() => {});
}
