/** The server behind a port, and connections to it. */
import { once } from "node:events";
import http from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { onTestFinished } from "vitest";
import type { ConnectionTimes } from "../../src/server/connection-times.ts";
import type { ServerSettings } from "../../src/server/settings.ts";
import { ENDPOINT, KEY, startServer, type TestServer } from "./server.ts";

export interface Listening extends TestServer {
  port: number;
  /** Sends a call. @returns the request, and its answer once there is one */
  send(
    method: string,
    route: string,
    options?: SendOptions,
  ): { request: http.ClientRequest; answer: Promise<Answer> };
}

export interface SendOptions {
  body?: Buffer | string;
  headers?: http.OutgoingHttpHeaders;
  agent?: http.Agent;
}

export interface Answer {
  status: number;
  headers: http.IncomingHttpHeaders;
  json: unknown;
}

export async function listen(
  settings: Partial<ServerSettings> = {},
  connectionTimes: Partial<ConnectionTimes> = {},
): Promise<Listening> {
  const server = await startServer(settings, { closeGraceMs: 200, connectionTimes });
  await server.app.listen({ host: "127.0.0.1", port: 0 });
  const { port } = server.app.server.address() as AddressInfo;
  return {
    ...server,
    port,
    send(method, route, { body, headers, agent } = {}) {
      const request = http.request({
        port,
        method,
        path: ENDPOINT + route,
        headers: { authorization: KEY, ...headers },
        ...(agent ? { agent } : {}),
      });
      const answer = (async (): Promise<Answer> => {
        const [response] = (await once(request, "response")) as [http.IncomingMessage];
        const chunks = (await response.toArray()) as Buffer[];
        const text = Buffer.concat(chunks).toString();
        return { status: response.statusCode!, headers: response.headers, json: JSON.parse(text) };
      })();
      // Whoever breaks the call off does not look at its answer.
      answer.catch(() => {});
      // Answered before all of it was sent, it may lose its connection with the end of the test.
      request.on("error", () => {});
      request.end(body);
      return { request, answer };
    },
  };
}

/** A plain connection. */
export async function dial(port: number): Promise<Socket> {
  const socket = connect(port, "127.0.0.1");
  onTestFinished(() => void socket.destroy());
  await once(socket, "connect");
  return socket;
}

export async function textUntilEnd(socket: Socket): Promise<string> {
  return Buffer.concat((await socket.toArray()) as Buffer[]).toString();
}
