/**
 * Connections that get nowhere are destroyed: this looks at all of them once a second. Calls that are held are left
 * alone, since they are silent for minutes and fine; of a peer that is lost without a word TCP's own probes tell.
 */
import type { IncomingMessage, Server, ServerOptions, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Config } from "../config/settings.ts";
import { answerBrokenCall } from "./failures.ts";
import { measureThroughput, type Throughput } from "./throughput.ts";

export type ConnectionSettings = Pick<
  Config,
  "maxConnections" | "leastBytesPerSecond" | "runMaxBytes" | "runsyncMaxBytes"
>;

/** Milliseconds. */
export interface ConnectionTimes {
  /** From the first byte of a call, or from the connection, to the end of its headers. */
  headersMs: number;
  /** Without a call between two of them. Longer than most proxies keep theirs, so that none sends into a closed one. */
  idleMs: number;
  /** In which the least throughput is to be reached. */
  windowMs: number;
  /** For a peer to read the last answer, and to close. */
  lingerMs: number;
  /** Of silence before TCP asks whether the peer is still there. */
  probeMs: number;
  /** Between two looks at all connections. */
  checkMs: number;
}

export const CONNECTION_TIMES: Readonly<ConnectionTimes> = {
  headersMs: 20_000,
  idleMs: 75_000,
  windowMs: 15_000,
  lingerMs: 3000,
  probeMs: 30_000,
  checkMs: 1000,
};

/** A body that somebody reads. */
export interface WatchedBody {
  /** How much of it there is. */
  arrivedBytes(): number;
  /** It comes too slowly. */
  onSlow(): void;
}

export interface Connections {
  /** For Node's server. */
  serverOptions: ServerOptions;
  /** Milliseconds in which a call must be there, however large its body is. */
  requestTimeoutMs: number;
  /** Looks after the connections of `server` until it is closed. */
  supervise(server: Server): void;
  /** Tells the reader of a body when it comes too slowly. Any other body ends with its connection then. */
  watch(request: IncomingMessage, body: WatchedBody): void;
  /** Ends a connection on which something came that is no call. */
  refuse(fault: { code?: string }, socket: Socket): void;
  /** Those that are open now. */
  count(): number;
}

interface Connection {
  socket: Socket;
  /** Calls without an answer, or with one that is not written yet. */
  calls: number;
  /** The latest. */
  request: IncomingMessage | undefined;
  response: ServerResponse | undefined;
  /** Since when there are no calls. */
  quietSince: number;
  /** Bytes that had arrived by then. */
  bytesWhenQuiet: number;
  /** Since when the last answer is with the system and nothing more will be. */
  endedSince: number | undefined;
  receiving: Throughput | undefined;
  sending: Throughput | undefined;
}

/** Nobody sends that many calls without waiting for an answer; each may cost memory until it has one. */
const MAX_PIPELINED = 64;
/** Of a call that was answered before it was there: far more than the largest body by default. */
const MAX_UNREAD_BYTES = 256 * 2 ** 20;

export function createConnections(settings: ConnectionSettings, times: ConnectionTimes): Connections {
  const { maxConnections, leastBytesPerSecond, runMaxBytes, runsyncMaxBytes } = settings;
  const { headersMs, idleMs, windowMs, lingerMs, probeMs, checkMs } = times;
  const connections = new Map<Socket, Connection>();
  /** Those without a call, the longest quiet first. */
  const quiet = new Set<Connection>();
  const watched = new WeakMap<IncomingMessage, WatchedBody>();
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

  function isStuck(connection: Connection, now: number): boolean {
    return (
      isLeftOpen(connection, now) ||
      isUnread(connection, now) ||
      isUnsent(connection, now) ||
      isIdle(connection, now)
    );
  }

  /** Whether a peer keeps a connection that this side has ended. */
  function isLeftOpen(connection: Connection, now: number): boolean {
    if (!connection.socket.writableFinished) return false;
    connection.endedSince ??= now;
    return now - connection.endedSince >= lingerMs;
  }

  /** Whether a peer reads its answer too slowly. */
  function isUnread(connection: Connection, now: number): boolean {
    const { socket } = connection;
    const bytes = sentBytes(socket);
    if (socket.writableLength === 0 || bytes === undefined) {
      connection.sending = undefined;
      return false;
    }
    connection.sending ??= measureThroughput({ leastBytesPerSecond, windowMs }, { bytes, now });
    return connection.sending.isSlow(bytes, now);
  }

  /** Whether a peer sends its body too slowly. One that nobody reads yet is not its fault. */
  function isUnsent(connection: Connection, now: number): boolean {
    const { request, socket, calls, bytesWhenQuiet } = connection;
    if (request === undefined || request.complete || !request.readableFlowing) {
      connection.receiving = undefined;
      return false;
    }
    connection.quietSince = now;
    if (calls === 0 && socket.bytesRead - bytesWhenQuiet > MAX_UNREAD_BYTES) return true;
    const body = watched.get(request);
    const bytes = body?.arrivedBytes() ?? socket.bytesRead;
    connection.receiving ??= measureThroughput({ leastBytesPerSecond, windowMs }, { bytes, now });
    const isSlow = connection.receiving.isSlow(bytes, now);
    if (!isSlow || calls === 0 || body === undefined) return isSlow;
    watched.delete(request);
    body.onSlow();
    return false;
  }

  /** Whether there was no call for long. Bytes that begin none, such as empty lines, would keep Node from looking. */
  function isIdle({ calls, request, quietSince }: Connection, now: number): boolean {
    const isQuiet = calls === 0 && request?.complete !== false;
    return isQuiet && now - quietSince >= idleMs + headersMs;
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
      2 * windowMs +
      Math.ceil((Math.max(runMaxBytes, runsyncMaxBytes) / leastBytesPerSecond) * 1000),
    supervise(server) {
      const timer = setInterval(check, checkMs).unref();
      server.on("connection", open);
      server.prependListener("request", begin);
      server.once("close", () => clearInterval(timer));
    },
    watch: (request, body) => void watched.set(request, body),
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

/** Bytes that the system has taken. Node's own timeouts go by the same figures, and shows them nowhere else. */
function sentBytes(socket: Socket): number | undefined {
  const { _handle: handle } = socket as { _handle?: { bytesWritten: number; writeQueueSize: number } | null };
  return handle ? handle.bytesWritten - handle.writeQueueSize : undefined;
}
