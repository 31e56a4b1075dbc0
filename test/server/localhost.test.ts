import { once } from "node:events";
import { type AddressInfo, connect, createServer } from "node:net";
import { networkInterfaces } from "node:os";
import { expect, it } from "vitest";
import { listenAt } from "../../src/server/localhost.ts";
import { startServer } from "./server.ts";

const hasIpv6 = Object.values(networkInterfaces()).some((addresses) =>
  addresses?.some(({ address }) => address === "::1"),
);

/** A port that nobody has on either address. */
async function freePortOfBoth(): Promise<number> {
  const server = createServer().listen(0, "::");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

it("looks after the connections of both addresses of localhost", async ({ skip }) => {
  if (!hasIpv6) skip("no IPv6 on this machine");
  const { app, inject } = await startServer(
    {},
    { connectionTimes: { idleMs: 3000, headersMs: 3000, checkMs: 50 } },
  );
  const port = await freePortOfBoth();
  await listenAt(app, { host: "localhost", port });
  for (const host of ["127.0.0.1", "::1"]) {
    expect((await fetch(`http://${host.includes(":") ? `[${host}]` : host}:${port}/healthz`)).status).toBe(
      200,
    );
    const socket = connect({ port, host, allowHalfOpen: true });
    await once(socket, "connect");
    const count = async (): Promise<string> => (await inject({ method: "GET", url: "/metrics" })).body;
    await expect.poll(count).toMatch(/^retouch_http_connections [1-9]/m);
    await expect.poll(count).toMatch(/^retouch_http_connections 0/m);
    socket.destroy();
  }
});
