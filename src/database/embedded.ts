/**
 * PostgreSQL inside this program: PGlite runs in its own thread, because it computes on the thread that calls
 * it, and the PostgreSQL driver speaks its usual protocol to it over messages. So all code reaches the data
 * in one way, wherever the data is. The folder must be locked first (`folder-lock.ts`): two owners lose rows
 * without an error.
 */
import { mkdir } from "node:fs/promises";
import { Duplex } from "node:stream";
import { Worker } from "node:worker_threads";
import { RetouchError } from "../errors.ts";
import { connectDatabase, type Database } from "./database.ts";

/** What the thread replies: bytes of the protocol, or that it cannot go on. */
export type ThreadMessage =
  { kind: "ready" } | { kind: "bytes"; bytes: Uint8Array } | { kind: "failed"; message: string };
export type ThreadRequest = { kind: "bytes"; bytes: Uint8Array } | { kind: "close" };

export interface EmbeddedOptions {
  folder: string;
  schema: string;
  onError: (error: Error) => void;
  /** The thread's compiled file. */
  threadEntry?: URL | undefined;
}

/**
 * Opens the database in `folder`, creating it if it is missing (which takes some seconds).
 * @throws RetouchError DATABASE_UNAVAILABLE
 */
export async function openEmbeddedDatabase(options: EmbeddedOptions): Promise<Database> {
  const { folder, schema, onError } = options;
  const entry = options.threadEntry ?? new URL("./embedded-thread.js", import.meta.url);
  // For this user only; if it fails, the thread says why.
  await mkdir(folder, { recursive: true, mode: 0o700 }).catch(() => {});
  const thread = new Worker(entry, { workerData: { folder } });
  thread.on("error", onError);
  const exited = new Promise<void>((resolve) => thread.once("exit", () => resolve()));
  await new Promise<void>((resolve, reject) => {
    const fail = (reason: string): void => {
      reject(
        new RetouchError("DATABASE_UNAVAILABLE", `The database in ${folder} cannot be opened: ${reason}.`),
      );
    };
    thread.once("message", (message: ThreadMessage) => {
      if (message.kind === "failed") fail(message.message);
      else resolve();
    });
    thread.once("error", (error) => fail(error.message));
    void exited.then(() => fail("its thread has ended"));
  });
  const close = async (): Promise<void> => {
    thread.postMessage({ kind: "close" } satisfies ThreadRequest);
    await exited;
  };
  try {
    return await connectDatabase({
      schema,
      onError,
      openStream: () => openStream(thread),
      afterClose: close,
    });
  } catch (error) {
    await close();
    throw error;
  }
}

/** A connection to the thread that the driver uses like a socket. */
function openStream(thread: Worker): Duplex {
  const send = (chunk: Uint8Array): void => {
    thread.postMessage({ kind: "bytes", bytes: new Uint8Array(chunk) } satisfies ThreadRequest);
  };
  const onMessage = (message: ThreadMessage): void => {
    if (message.kind === "bytes") stream.push(message.bytes);
    if (message.kind === "failed") stream.destroy(new Error(message.message));
  };
  const onExit = (): void => void stream.destroy(new Error("The embedded database has ended."));
  const stream = new Duplex({
    read() {},
    write(chunk: Uint8Array, _encoding, done) {
      send(chunk);
      done();
    },
    writev(chunks, done) {
      send(Buffer.concat(chunks.map(({ chunk }) => chunk as Uint8Array)));
      done();
    },
    final(done) {
      stream.push(null);
      done();
    },
    destroy(error, done) {
      thread.off("message", onMessage);
      thread.off("exit", onExit);
      done(error);
    },
  });
  thread.on("message", onMessage);
  thread.once("exit", onExit);
  const nothing = (): Duplex => stream;
  const connect = (): Duplex => {
    // A thread that has ended has id -1, and would never answer.
    process.nextTick(() => (thread.threadId === -1 ? onExit() : stream.emit("connect")));
    return stream;
  };
  return Object.assign(stream, {
    connect,
    setNoDelay: nothing,
    setKeepAlive: nothing,
    ref: nothing,
    unref: nothing,
  });
}
