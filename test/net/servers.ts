/** Loopback servers and names for the tests of connections; both end with the test. */
import { createServer, type RequestListener } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { createServer as createTcpServer, type AddressInfo, type Server, type Socket } from "node:net";
import { onTestFinished } from "vitest";
import { createAddressPolicy } from "../../src/net/address-policy.ts";
import { createAgents } from "../../src/net/agents.ts";
import { createHttpClient, type HttpClient } from "../../src/net/http-client.ts";
import type { Resolve } from "../../src/net/resolve.ts";
import { certificate, certificateKey } from "./certificate.ts";

/** @returns the port */
export const serve = (listener: RequestListener): Promise<number> => listen(createServer(listener));

/** With the certificate of pictures.test. @returns the port */
export const serveTls = (listener: RequestListener): Promise<number> =>
  listen(createTlsServer({ cert: certificate, key: certificateKey }, listener));

/** @returns the port */
export const serveTcp = (listener: (socket: Socket) => void): Promise<number> =>
  listen(createTcpServer(listener));

async function listen(server: Server): Promise<number> {
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => sockets.add(socket));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

export interface Names {
  resolve: Resolve;
  /** The names that were asked for, in order. */
  asked: string[];
}

/** A resolver that knows these names; each further question about one gets the next of its answers. */
export function names(answers: Readonly<Record<string, readonly (readonly string[])[]>>): Names {
  const asked: string[] = [];
  return {
    asked,
    async resolve(hostname) {
      const before = asked.filter((name) => name === hostname).length;
      asked.push(hostname);
      const addresses = answers[hostname]?.[before];
      if (addresses === undefined) throw Object.assign(new Error("no such name"), { code: "ENOTFOUND" });
      return addresses.map((address) => ({ address, family: address.includes(":") ? 6 : 4 }));
    },
  };
}

/** A client as the service has it. */
export function guardedClient(allowed: readonly string[], resolve?: Resolve): HttpClient {
  return createHttpClient(createAgents(createAddressPolicy(allowed), resolve));
}
