/**
 * Destroys connections that make no progress; all of them are checked once a second. Long polls are left
 * alone, since they are rightly silent for minutes; TCP's own probes detect a peer that vanished without a
 * word.
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
  /** Options for Node's server. */
  serverOptions: ServerOptions;
  /** Milliseconds within which a request must have arrived, however large its body is. */
  requestTimeoutMs: number;
  /** Looks after the connections of `server` until it is closed. */
  supervise(server: Server): void;
  /** Tells a body's reader when it arrives too slowly. A body without one ends with its connection. */
  watch(request: IncomingMessage, onSlow: () => void): void;
  /** Ends a connection that sent something other than an HTTP request. */
  refuse(fault: { code?: string }, socket: Socket): void;
  /** Connections open now. */
  count(): number;
}

/** No client sends this many requests without waiting for a reply; each may cost memory until it has one. */
const MAX_PIPELINED = 64;

/**
 * Whether the system knows that the peer of a half-closed connection is gone. Nothing is read from it any more, so Node
 * would learn that only by writing; but the system then no longer names the peer.
 */
function isGone(socket: Socket): boolean {
  const { _handle: handle } = socket as { _handle?: { getpeername?(into: object): number } | null };
  return handle?.getpeername !== undefined && handle.getpeername({}) !== 0;
}

export function createConnections(settings: ConnectionSettings, times: ConnectionTimes): Connections {
  const { maxConnections, leastBytesPerSecond, runMaxBytes, runsyncMaxBytes } = settings;
  const { headersMs, bodyPauseMs, halfCloseMs, halfClosedProbeMs, probeMs, checkMs } = times;
  const connections = new Map<Socket, Connection>();
  /** Connections without a request, the longest idle first. */
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
      arrivedAt: performance.now(),
      isHalfClosed: false,
      quietSince: performance.now(),
      bytesWhenQuiet: 0,
      endedSince: undefined,
      receiving: undefined,
      sending: undefined,
    };
    connections.set(socket, connection);
    quiet.add(connection);
    socket.once("end", () => endOfPeer(connection)).once("close", () => forget(connection));
  }

  function forget(connection: Connection): void {
    connections.delete(connection.socket);
    quiet.delete(connection);
  }

  function drop(connection: Connection): void {
    forget(connection);
    connection.socket.destroy();
  }

  /**
   * Clients may end their side when they have sent their last call, and read on. One that ends it later, while it
   * waits, has left: programs that give up a call do no more than this.
   */
  function endOfPeer(connection: Connection): void {
    const { socket, calls, response, arrivedAt } = connection;
    // Without a call, Node ends this side as well.
    if (calls === 0 || response?.headersSent) return;
    if (performance.now() - arrivedAt > halfCloseMs) socket.end();
    else {
      connection.isHalfClosed = true;
      socket.setKeepAlive(true, halfClosedProbeMs);
    }
  }

  function begin(request: IncomingMessage, response: ServerResponse): void {
    const connection = connections.get(request.socket);
    if (connection === undefined) return;
    quiet.delete(connection);
    connection.calls += 1;
    connection.request = request;
    connection.response = response;
    connection.arrivedAt = performance.now();
    request.once("end", () => {
      if (connection.request === request) connection.arrivedAt = performance.now();
    });
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
      // What arrived while this process stood still has not been read yet.
      if (lostMs > checkMs) {
        connection.receiving?.skip(lostMs);
        connection.sending?.skip(lostMs);
      }
      const isLost = connection.isHalfClosed && isGone(connection.socket);
      if (isLost || isStuck(connection, now)) drop(connection);
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
      (server as Server & { httpAllowHalfOpen: boolean }).httpAllowHalfOpen = true;
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
      // Browsers open connections in advance: they would take an unprompted reply for the one to their first
      // request.
      const isSilent = socket.bytesRead === 0;
      const isInsideAnswer = calls > 1 || (calls === 1 && response!.headersSent);
      if (isSilent || isInsideAnswer) socket.destroy();
      else answerBrokenCall(fault, socket);
    },
    count: () => connections.size,
  };
}
