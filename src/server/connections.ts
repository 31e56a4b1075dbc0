/**
 * Connections that get nowhere are destroyed: this looks at all of them once a second. Calls that are held are left
 * alone, since they are silent for minutes and fine; of a peer that is lost without a word TCP's own probes tell.
 */
import type { IncomingMessage, Server, ServerOptions, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Config } from "../config/settings.ts";
import { answerBrokenCall } from "./failures.ts";
import type { ConnectionTimes } from "./connection-times.ts";
import { type Connection, createStuckCheck } from "./stuck.ts";

export type ConnectionSettings = Pick<
  Config,
  "maxConnections" | "leastBytesPerSecond" | "runMaxBytes" | "runsyncMaxBytes"
>;

export interface Connections {
  /** For Node's server. */
  serverOptions: ServerOptions;
  /** Milliseconds in which a call must be there, however large its body is. */
  requestTimeoutMs: number;
  /** Looks after the connections of `server` until it is closed. */
  supervise(server: Server): void;
  /** Tells the reader of a body when it comes too slowly. Any other body ends with its connection then. */
  watch(request: IncomingMessage, onSlow: () => void): void;
  /** Ends a connection on which something came that is no call. */
  refuse(fault: { code?: string }, socket: Socket): void;
  /** Those that are open now. */
  count(): number;
}

/** Nobody sends that many calls without waiting for an answer; each may cost memory until it has one. */
const MAX_PIPELINED = 64;
export function createConnections(settings: ConnectionSettings, times: ConnectionTimes): Connections {
  const { maxConnections, leastBytesPerSecond, runMaxBytes, runsyncMaxBytes } = settings;
  const { headersMs, bodyPauseMs, probeMs, checkMs } = times;
  const connections = new Map<Socket, Connection>();
  /** Those without a call, the longest quiet first. */
  const quiet = new Set<Connection>();
  const isStuck = createStuckCheck({ leastBytesPerSecond, times });
  let lastCheckAt = performance.now();

  function open(socket: Socket): void {
    if (connections.size >= maxConnections) {
      const [longestQuiet] = quiet;
      if (longestQuiet === undefined) return void socket.destroy();
      drop(longestQuiet);
    }
    const connection: Connection = {
      socket,
      calls: 0,
      request: undefined,
      response: undefined,
      read: undefined,
      quietSince: performance.now(),
      bytesWhenQuiet: 0,
      endedSince: undefined,
      receiving: undefined,
      sending: undefined,
    };
    connections.set(socket, connection);
    quiet.add(connection);
    socket.once("close", () => forget(connection));
  }

  function forget(connection: Connection): void {
    connections.delete(connection.socket);
    quiet.delete(connection);
  }

  function drop(connection: Connection): void {
    forget(connection);
    connection.socket.destroy();
  }

  function begin(request: IncomingMessage, response: ServerResponse): void {
    const connection = connections.get(request.socket);
    if (connection === undefined) return;
    quiet.delete(connection);
    connection.calls += 1;
    connection.request = request;
    connection.response = response;
    if (connection.calls > MAX_PIPELINED) return drop(connection);
    response.once("close", () => {
      connection.calls -= 1;
      if (connection.read?.request === request) connection.read = undefined;
      if (connection.calls > 0 || !connections.has(connection.socket)) return;
      connection.quietSince = performance.now();
      connection.bytesWhenQuiet = connection.socket.bytesRead;
      quiet.add(connection);
    });
  }

  function check(): void {
    const now = performance.now();
    const lostMs = now - lastCheckAt - checkMs;
    lastCheckAt = now;
    for (const connection of connections.values()) {
      // What arrived while this process stood still is not read yet.
      if (lostMs > checkMs) {
        connection.receiving?.skip(lostMs);
        connection.sending?.skip(lostMs);
      }
      if (isStuck(connection, now)) drop(connection);
    }
  }

  return {
    serverOptions: {
      headersTimeout: headersMs,
      connectionsCheckingInterval: Math.min(headersMs / 4, checkMs * 5),
      keepAlive: true,
      keepAliveInitialDelay: probeMs,
    },
    requestTimeoutMs:
      headersMs +
      bodyPauseMs +
      Math.ceil((Math.max(runMaxBytes, runsyncMaxBytes) / leastBytesPerSecond) * 1000),
    supervise(server) {
      const timer = setInterval(check, checkMs).unref();
      server.on("connection", open);
      server.prependListener("request", begin);
      server.once("close", () => clearInterval(timer));
    },
    watch(request, onSlow) {
      const connection = connections.get(request.socket);
      if (connection) connection.read = { request, onSlow };
    },
    refuse(fault, socket) {
      const { calls = 0, response } = connections.get(socket) ?? {};
      // Browsers open connections to have them at hand: an answer to nothing would be taken for one to the first call.
      const isSilent = socket.bytesRead === 0;
      const isInsideAnswer = calls > 1 || (calls === 1 && response!.headersSent);
      if (isSilent || isInsideAnswer) socket.destroy();
      else answerBrokenCall(fault, socket);
    },
    count: () => connections.size,
  };
}
