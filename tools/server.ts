/** A server in a process of its own, as a user starts it, and the calls to it. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { createInterface } from "node:readline";
import { setTimeout as pause } from "node:timers/promises";
import { inRepository, ROOT } from "./paths.ts";

export interface Command {
  command: string;
  args: string[];
  /** Whether it is a program of ours that takes messages. */
  hasChannel?: boolean;
  /** Where it runs. @default this repository */
  folder?: string;
}

export interface ServerOptions {
  command: Command;
  /** Environment variables. */
  settings: Record<string, string>;
  /** Ends the process by force. */
  signal: AbortSignal;
  /** Called with what it writes to standard error, line by line. */
  onLine?: ((line: string) => void) | undefined;
}

/** The fields of an answer of /runsync and /status that are measured. */
export interface JobAnswer {
  id: string;
  status: string;
  delayTime?: number;
  executionTime?: number;
  error?: string;
}

const KEY = "benchmark-key-of-sixteen-or-more";
const ENDPOINT = "black-forest-labs-flux-1-kontext-dev";
const POLL_MS = 10;
const READY_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 20_000;
const KEPT_ERROR_CHARACTERS = 4000;

export const SERVE: Command = {
  command: process.execPath,
  args: [inRepository("bin", "retouch.js"), "serve"],
};

export class Server {
  readonly address: string;
  /** The endpoint's path, in front of /run. */
  readonly path = `/v2/${ENDPOINT}`;
  readonly key = KEY;
  readonly headers = { authorization: `Bearer ${KEY}`, "content-type": "application/json" };
  /** From the start of the process until /readyz answered 200. */
  readySeconds = 0;
  readonly process: ChildProcess;
  readonly #signal: AbortSignal;
  readonly #kill = (): void => void this.#signalAll("SIGKILL");
  #errors = "";

  private constructor({ command, settings, signal, onLine }: ServerOptions, port: number) {
    signal.throwIfAborted();
    this.address = `http://127.0.0.1:${port}`;
    this.#signal = signal;
    const { PATH, HOME, TMPDIR } = process.env;
    this.process = spawn(command.command, command.args, {
      cwd: command.folder ?? ROOT,
      env: {
        PATH,
        HOME,
        TMPDIR,
        RETOUCH_PORT: String(port),
        RETOUCH_API_KEY: KEY,
        RETOUCH_LOG_LEVEL: "warn",
        ...settings,
      },
      stdio: ["ignore", "ignore", "pipe", ...(command.hasChannel ? ["ipc" as const] : [])],
      // A process group of its own, so that signals reach all of it, as from a terminal: npm starts a shell that starts the server.
      detached: true,
    });
    this.process.stderr!.on("data", (chunk: Buffer) => {
      this.#errors = (this.#errors + chunk.toString()).slice(-KEPT_ERROR_CHARACTERS);
    });
    if (onLine) createInterface({ input: this.process.stderr! }).on("line", onLine);
    signal.addEventListener("abort", this.#kill);
  }

  /** Starts the process and waits until it can do edits. */
  static async start(options: ServerOptions): Promise<Server> {
    const port = await freePort();
    const started = performance.now();
    const server = new Server(options, port);
    try {
      await server.#untilReady(started + READY_TIMEOUT_MS);
    } catch (error) {
      await server.stop();
      throw error;
    }
    server.readySeconds = (performance.now() - started) / 1000;
    return server;
  }

  async #untilReady(deadline: number): Promise<void> {
    while (this.process.exitCode === null && performance.now() < deadline) {
      this.#signal.throwIfAborted();
      const response = await fetch(`${this.address}/readyz`, { signal: this.#signal }).catch(() => undefined);
      await response?.text();
      if (response?.ok) return;
      await pause(POLL_MS);
    }
    throw new Error(`The server did not become ready:\n${this.#errors}`);
  }

  /** @throws Error for any status but 2xx */
  async post(route: string, body: object): Promise<JobAnswer> {
    return this.#call(route, { method: "POST", body: JSON.stringify(body) });
  }

  async get(route: string): Promise<JobAnswer> {
    return this.#call(route, {});
  }

  async #call(route: string, init: RequestInit): Promise<JobAnswer> {
    const url = this.address + this.path + route;
    const response = await fetch(url, { headers: this.headers, signal: this.#signal, ...init });
    const text = await response.text();
    if (!response.ok) throw new Error(`${route} was answered with ${response.status}: ${text}`);
    return JSON.parse(text) as JobAnswer;
  }

  /** Ends the process and everything it started, by force after a while. */
  async stop(): Promise<void> {
    this.#signal.removeEventListener("abort", this.#kill);
    // As Ctrl-C does, which no server answers calls after.
    this.#signalAll("SIGINT");
    const deadline = performance.now() + STOP_TIMEOUT_MS;
    // Signal 0 only asks whether any process is left.
    while (this.#signalAll(0)) {
      if (performance.now() > deadline) this.#kill();
      await pause(POLL_MS);
    }
  }

  /** @returns whether there was any process to send it to */
  #signalAll(signal: NodeJS.Signals | 0): boolean {
    try {
      return process.kill(-this.process.pid!, signal);
    } catch {
      return false;
    }
  }
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, "close");
  return port;
}
