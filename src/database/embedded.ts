/**
 * PostgreSQL inside this program: PGlite runs in its own thread, because it computes on the thread that calls
 * it, and the PostgreSQL driver speaks its usual protocol to it over messages. So all code reaches the data
 * in one way, wherever the data is. A thread that ends is replaced, and PostgreSQL recovers what it had
 * acknowledged. The folder must be locked first (`files/folder-lock.ts`): two owners lose rows
 * without an error.
 */
import { mkdir } from "node:fs/promises";
import { Duplex } from "node:stream";
import { Worker } from "node:worker_threads";
import { RetouchError } from "../errors.ts";
import { connectDatabase, type Database } from "./database.ts";

/** What the thread replies: bytes of the protocol, that it cannot go on, or what the operator should know. */
export type ThreadMessage =
  | { kind: "ready" }
  | { kind: "bytes"; connection: number; bytes: Uint8Array<ArrayBuffer> }
  | { kind: "failed"; message: string }
  | { kind: "notice"; text: string };
export type ThreadRequest = { kind: "bytes"; connection: number; bytes: Uint8Array } | { kind: "close" };
export interface ThreadData {
  folder: string;
  schema: string;
}

export interface EmbeddedOptions {
  folder: string;
  schema: string;
  onError: (error: Error) => void;
  /** Hears what the operator should know; nobody does by default. */
  onNotice?: ((text: string) => void) | undefined;
  /** The thread's compiled file. */
  threadEntry?: URL | undefined;
}

/** Pauses before the first, second, ... new thread, in milliseconds; the last one for all that follow. */
const RESTART_MS = [0, 500, 1000, 2000, 5000, 10_000];
/** A thread that lived this long counts as well: the pauses begin anew. */
const STEADY_MS = 60_000;

/**
 * Opens the database in `folder`, creating it if it is missing.
 * @throws RetouchError DATABASE_UNAVAILABLE
 */
export async function openEmbeddedDatabase(options: EmbeddedOptions): Promise<Database> {
  const { folder, schema, onError } = options;
  // For this user only; if it fails, the thread says why.
  await mkdir(folder, { recursive: true, mode: 0o700 }).catch(() => {});
  const threads = keepThread(options);
  await threads.first.catch((error: unknown) => {
    const reason = (error as Error).message;
    throw new RetouchError("DATABASE_UNAVAILABLE", `The database in ${folder} cannot be opened: ${reason}.`);
  });
  try {
    return await connectDatabase({
      schema,
      onError,
      openStream: () => openStream(threads.current()),
      afterClose: threads.close,
    });
  } catch (error) {
    await threads.close();
    throw error;
  }
}

interface Threads {
  /** Settles when the first thread serves, or could not. */
  first: Promise<void>;
  /** The thread that serves; nothing while there is none. */
  current(): Worker | undefined;
  close(): Promise<void>;
}

/** Keeps one thread on the folder, and starts another only when the one before has ended. */
function keepThread({ folder, schema, onError, onNotice, threadEntry }: EmbeddedOptions): Threads {
  const entry = threadEntry ?? new URL("./embedded-thread.js", import.meta.url);
  let running: Worker | undefined;
  let ready: Worker | undefined;
  let isClosing = false;
  let failures = 0;
  let timer: NodeJS.Timeout | undefined;
  let exited: Promise<void> = Promise.resolve();

  /** @returns a promise that settles when the thread serves, or has ended before */
  function start(): Promise<void> {
    const thread = new Worker(entry, { workerData: { folder, schema } satisfies ThreadData });
    running = thread;
    const started = performance.now();
    let reason = "its thread has ended";
    let exit!: () => void;
    exited = new Promise((resolve) => (exit = resolve));
    return new Promise<void>((resolve, reject) => {
      thread.on("error", (error) => (reason = error.message));
      thread.on("message", (message: ThreadMessage) => {
        if (message.kind === "failed") reason = message.message;
        if (message.kind === "notice") onNotice?.(message.text);
        if (message.kind !== "ready") return;
        ready = thread;
        resolve();
      });
      thread.once("exit", () => {
        const wasReady = ready === thread;
        ready = running = undefined;
        exit();
        reject(new Error(reason));
        if (isClosing) return;
        if (performance.now() - started > STEADY_MS) failures = 0;
        // The first thread's failure is its caller's; from then on it is kept.
        if (wasReady || failures > 0) restart(reason);
      });
    });
  }

  function restart(reason: string): void {
    onError(new Error(`The embedded database has ended (${reason}) and is started again.`));
    const pause = RESTART_MS[Math.min(failures, RESTART_MS.length - 1)]!;
    failures += 1;
    // A failure ends in another restart.
    timer = setTimeout(() => void start().catch(() => {}), pause);
  }

  return {
    first: start(),
    current: () => ready,
    async close() {
      isClosing = true;
      clearTimeout(timer);
      if (ready !== undefined) ready.postMessage({ kind: "close" } satisfies ThreadRequest);
      // It is still starting; what a stop leaves is recovered, as after a crash.
      else await running?.terminate();
      await exited;
    },
  };
}

let connections = 0;

/**
 * A connection to the thread that the driver uses like a socket.
 * @param thread nothing where there is none: the connection fails
 */
function openStream(thread: Worker | undefined): Duplex {
  // An answer to a connection that was given up must not reach the next one.
  const connection = (connections += 1);
  const send = (chunk: Uint8Array): void => {
    const bytes = new Uint8Array(chunk);
    thread?.postMessage({ kind: "bytes", connection, bytes } satisfies ThreadRequest, [bytes.buffer]);
  };
  const onMessage = (message: ThreadMessage): void => {
    if (message.kind === "bytes" && message.connection === connection) stream.push(message.bytes);
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
      thread?.off("message", onMessage);
      thread?.off("exit", onExit);
      done(error);
    },
  });
  thread?.on("message", onMessage);
  thread?.once("exit", onExit);
  const nothing = (): Duplex => stream;
  const connect = (): Duplex => {
    process.nextTick(() => (thread === undefined ? onExit() : stream.emit("connect")));
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
