/** Decides when a connection makes no progress. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { ConnectionTimes } from "./connection-times.ts";
import { measureThroughput, type Throughput } from "./throughput.ts";

export interface Connection {
  socket: Socket;
  /** Requests without a reply, or whose reply is not written yet. */
  calls: number;
  /** The latest request. */
  request: IncomingMessage | undefined;
  response: ServerResponse | undefined;
  /** A body being read. If it comes too slowly, its request is answered, and the connection ends. */
  read: { request: IncomingMessage; onSlow: () => void } | undefined;
  /** When the latest request, or its body, had arrived. */
  arrivedAt: number;
  /** Whether the peer has ended its side and waits for the answer. */
  isHalfClosed: boolean;
  /** Since when there have been no requests. */
  quietSince: number;
  /** Bytes that had arrived by then. */
  bytesWhenQuiet: number;
  /** Since when the last reply has been with the system and nothing more will follow. */
  endedSince: number | undefined;
  receiving: Throughput | undefined;
  sending: Throughput | undefined;
}

export interface StuckOptions {
  leastBytesPerSecond: number;
  times: Pick<ConnectionTimes, "headersMs" | "idleMs" | "bodyPauseMs" | "answerPauseMs" | "lingerMs">;
}

/** Of a request answered before it had arrived: far more than the default body limit. */
const MAX_UNREAD_BYTES = 256 * 2 ** 20;

/** @returns whether to destroy a connection, at this moment of a clock that never goes back */
export function createStuckCheck(options: StuckOptions): (connection: Connection, now: number) => boolean {
  const { leastBytesPerSecond } = options;
  const { headersMs, idleMs, bodyPauseMs, answerPauseMs, lingerMs } = options.times;

  /** Whether a peer keeps a connection open that this side has ended. */
  function isLeftOpen(connection: Connection, now: number): boolean {
    if (!connection.socket.writableFinished) return false;
    connection.endedSince ??= now;
    return now - connection.endedSince >= lingerMs;
  }

  /** Whether a peer reads its reply too slowly. */
  function isUnread(connection: Connection, now: number): boolean {
    const { socket } = connection;
    const bytes = sentBytes(socket);
    if (socket.writableLength === 0 || bytes === undefined) {
      connection.sending = undefined;
      return false;
    }
    connection.sending ??= measureThroughput(
      { leastBytesPerSecond, maxPauseMs: answerPauseMs },
      { bytes, now },
    );
    return connection.sending.isSlow(bytes, now);
  }

  /** Whether a peer sends its body too slowly. A body that nobody reads yet is not the peer's fault. */
  function isUnsent(connection: Connection, now: number): boolean {
    const { request, socket, calls, bytesWhenQuiet } = connection;
    const { bytesRead } = socket;
    if (request === undefined || request.complete || !request.readableFlowing) {
      connection.receiving = undefined;
      return false;
    }
    if (calls === 0) {
      connection.quietSince = now;
      if (bytesRead - bytesWhenQuiet > MAX_UNREAD_BYTES) return true;
    }
    connection.receiving ??= measureThroughput(
      { leastBytesPerSecond, maxPauseMs: bodyPauseMs },
      { bytes: bytesRead, now },
    );
    const isSlow = connection.receiving.isSlow(bytesRead, now);
    const { read } = connection;
    if (!isSlow || calls === 0 || read?.request !== request) return isSlow;
    connection.read = undefined;
    read.onSlow();
    return false;
  }

  /**
   * Whether there was no request for long. Bytes that begin none, such as empty lines, keep Node's own timers
   * from firing.
   */
  function isIdle({ calls, request, quietSince }: Connection, now: number): boolean {
    const isQuiet = calls === 0 && request?.complete !== false;
    return isQuiet && now - quietSince >= idleMs + headersMs;
  }

  return (connection, now) =>
    isLeftOpen(connection, now) ||
    isUnread(connection, now) ||
    isUnsent(connection, now) ||
    isIdle(connection, now);
}

/** Bytes that the system has taken. Node's own timeouts use these figures, exposed nowhere else. */
function sentBytes(socket: Socket): number | undefined {
  const { _handle: handle } = socket as { _handle?: { bytesWritten: number; writeQueueSize: number } | null };
  return handle ? handle.bytesWritten - handle.writeQueueSize : undefined;
}
