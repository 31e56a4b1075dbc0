/**
 * Notifications from the database. A separate connection listens and is reopened when it breaks. It has nothing
 * to ask, so silence would never be noticed: it is asked for a sign of life every few seconds. The embedded
 * database has one session, so there the pool's only connection listens.
 */
import type pg from "pg";
import { answerWithin, CONNECT_MS, destroy } from "./connections.ts";

export interface Listener {
  start(): Promise<void>;
  /** @returns a function that ends it */
  onNotification(listener: (payload: string) => void): () => void;
  /**
   * Called when a lost connection is back: notifications may have been missed.
   * @returns a function that ends it
   */
  onReconnect(listener: () => void): () => void;
  close(): Promise<void>;
}

const RECONNECT_MS = 500;
/** Between two signs of life, and how long one may take. */
const HEARTBEAT_MS = 3000;
const ANSWER_MS = 5000;

export function createListener(options: {
  pool: pg.Pool;
  channel: string;
  /** Whether the pool's own connection listens. */
  isShared: boolean;
  onError: (error: Error) => void;
  /** Called when the connection has not answered what it was asked at this time, by `performance.now()`. */
  onSilence?: ((askedAt: number) => void) | undefined;
}): Listener {
  const { pool, channel, isShared, onError, onSilence } = options;
  const listeners = new Set<(payload: string) => void>();
  const reconnected = new Set<() => void>();
  let client: pg.PoolClient | undefined;
  let timer: NodeJS.Timeout | undefined;
  let heartbeat: NodeJS.Timeout | undefined;
  let isClosed = false;

  const attach = (connection: pg.ClientBase): void => {
    connection.on("notification", (message) => {
      if (message.channel === channel) for (const listener of listeners) listener(message.payload ?? "");
    });
  };

  // The pool opens another connection in place of a broken one.
  let opened = 0;
  if (isShared) {
    pool.on("connect", (connection) => {
      attach(connection);
      if ((opened += 1) > 1) reconnected.forEach((listener) => listener());
    });
  }

  async function connect(): Promise<void> {
    // The pool has listened on its connection since it opened it.
    if (isShared) return;
    const connection = await pool.connect();
    attach(connection);
    connection.once("error", (error) => {
      onError(error);
      lose(connection, error);
    });
    try {
      await answerWithin(connection.query(`listen "${channel}"`), CONNECT_MS);
    } catch (error) {
      destroy(connection);
      connection.release(error as Error);
      throw error;
    }
    // Closed meanwhile: closing the pool waits for every connection.
    if (isClosed) connection.release(true);
    else {
      client = connection;
      beat(connection);
    }
  }

  function beat(connection: pg.PoolClient): void {
    heartbeat = setTimeout(() => {
      const askedAt = performance.now();
      answerWithin(connection.query("select 1"), ANSWER_MS).then(
        () => {
          if (client === connection) beat(connection);
        },
        (error: Error) => {
          if (client !== connection) return;
          onError(error);
          onSilence?.(askedAt);
          destroy(connection);
          lose(connection, error);
        },
      );
    }, HEARTBEAT_MS);
  }

  function lose(connection: pg.PoolClient, error: Error): void {
    if (client !== connection) return;
    client = undefined;
    clearTimeout(heartbeat);
    connection.release(error);
    retry();
  }

  function retry(): void {
    if (isClosed) return;
    timer = setTimeout(() => {
      connect().then(
        () => reconnected.forEach((listener) => listener()),
        () => retry(),
      );
    }, RECONNECT_MS);
  }

  return {
    start: connect,
    onNotification(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    onReconnect(listener) {
      reconnected.add(listener);
      return () => reconnected.delete(listener);
    },
    close() {
      isClosed = true;
      clearTimeout(timer);
      clearTimeout(heartbeat);
      client?.release(true);
      client = undefined;
      return Promise.resolve();
    },
  };
}
