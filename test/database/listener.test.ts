import { EventEmitter } from "node:events";
import type pg from "pg";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { createListener, type Listener } from "../../src/database/listener.ts";

/** A connection that answers `listen`, and later signs of life, when it is told to. */
class Connection extends EventEmitter {
  released: unknown[] = [];
  isDestroyed = false;
  connection = { stream: { destroy: () => (this.isDestroyed = true) } };
  answer = (): void => {};
  refuse = (_error: Error): void => {};
  query(): Promise<void> {
    return new Promise((resolve, reject) => ([this.answer, this.refuse] = [resolve, reject]));
  }
  release(error?: unknown): void {
    this.released.push(error);
  }
}

let connections: Connection[];
let errors: Error[];
let reconnects: number;
let listener: Listener;
beforeEach(async () => {
  vi.useFakeTimers();
  [connections, errors, reconnects] = [[], [], 0];
  const pool = {
    async connect() {
      const connection = new Connection();
      connections.push(connection);
      return connection;
    },
  } as unknown as pg.Pool;
  const onError = (error: Error): void => void errors.push(error);
  listener = createListener({ pool, channel: "news", isShared: false, onError });
  listener.onReconnect(() => (reconnects += 1));
  const starting = listener.start();
  await vi.advanceTimersByTimeAsync(0);
  connections[0]!.answer();
  await starting;
});
afterEach(() => void vi.useRealTimers());

const broken = new Error("Connection terminated unexpectedly");

it("tries again until the database is back, and then says that news may have been missed", async () => {
  connections[0]!.emit("error", broken);
  expect(errors).toEqual([broken]);
  expect(connections[0]!.released).toEqual([broken]);
  for (const at of [1, 2]) {
    await vi.advanceTimersByTimeAsync(500);
    connections[at]!.refuse(broken);
    await vi.advanceTimersByTimeAsync(0);
    expect(connections[at]!.released).toEqual([broken]);
  }
  expect(reconnects).toBe(0);
  await vi.advanceTimersByTimeAsync(500);
  connections[3]!.answer();
  await vi.advanceTimersByTimeAsync(0);
  expect(reconnects).toBe(1);
  expect(connections[3]!.released).toEqual([]);
});

it("asks for a sign of life every three seconds, and replaces a connection that gives none within five", async () => {
  for (let count = 0; count < 3; count += 1) {
    const { answer } = connections[0]!;
    await vi.advanceTimersByTimeAsync(3000);
    expect(connections[0]!.answer).not.toBe(answer);
    connections[0]!.answer();
    await vi.advanceTimersByTimeAsync(0);
  }
  await vi.advanceTimersByTimeAsync(3000 + 4999);
  expect(connections[0]!.isDestroyed).toBe(false);
  await vi.advanceTimersByTimeAsync(1);
  expect(connections[0]!.isDestroyed).toBe(true);
  expect(errors).toEqual(connections[0]!.released);
  expect(errors.map(({ message }) => message)).toEqual(["no answer within 5 s"]);
  await vi.advanceTimersByTimeAsync(500);
  connections[1]!.answer();
  await vi.advanceTimersByTimeAsync(0);
  expect(reconnects).toBe(1);
});

it("gives a new connection up that does not answer, and tries again", async () => {
  connections[0]!.emit("error", broken);
  await vi.advanceTimersByTimeAsync(500 + 5000);
  expect(connections[1]!.isDestroyed).toBe(true);
  expect(connections[1]!.released).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(500);
  expect(connections).toHaveLength(3);
});

it("hears its own channel alone", () => {
  const heard: string[] = [];
  listener.onNotification((payload) => heard.push(payload));
  for (const channel of ["news", "others"]) {
    connections[0]!.emit("notification", { channel, payload: `of ${channel}` });
  }
  expect(heard).toEqual(["of news"]);
});

it("tries no more once it is closed", async () => {
  connections[0]!.emit("error", broken);
  await listener.close();
  await vi.advanceTimersByTimeAsync(10_000);
  expect(connections).toHaveLength(1);
});

it("gives its connection back when it is closed, and one that comes after that too", async () => {
  connections[0]!.emit("error", broken);
  await vi.advanceTimersByTimeAsync(500);
  await listener.close();
  connections[1]!.answer();
  await vi.advanceTimersByTimeAsync(0);
  // Else whoever closes the pool waits for it for ever.
  expect(connections[1]!.released).toEqual([true]);
});
