/** `retouch serve` as a process of its own, started and stopped as a user does. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { copyEmptyDatabase } from "./embedded.ts";
import { call, type Answer, type CallInit, ENDPOINT, ONE_THREAD, until } from "./service.ts";
import { root } from "./fixtures.ts";

export interface Served {
  /** What it printed on standard output by the time that it listened. */
  welcome: string;
  address: string;
  endpoint: string;
  /** The key that it printed, or the one of RETOUCH_API_KEY. */
  key: string;
  pid: number;
  /** Everything on standard error so far. */
  log(): string;
  call(path: string, init?: CallInit): Promise<Answer>;
  /** Sends the signal and waits for the end. @returns the exit code, null after SIGKILL */
  end(signal: NodeJS.Signals): Promise<number | null>;
}

const program = path.join(root, "bin", "retouch.js");

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, "close");
  return port;
}

/** What a process gets of this one's environment; settings of the machine must not reach into a test. */
export function environment(settings: Record<string, string>): NodeJS.ProcessEnv {
  const { PATH, HOME, TMPDIR, SystemRoot } = process.env;
  return { PATH, HOME, TMPDIR, SystemRoot, ...ONE_THREAD, ...settings };
}

/** Waits until edits can run. */
export const untilReady = async (
  { address }: Pick<Served, "address">,
  patience?: { patienceMs: number },
): Promise<void> =>
  void (await until(
    () => fetch(`${address}/readyz`),
    ({ status }) => status === 200,
    patience,
  ));

/**
 * Starts it and waits until it listens.
 * @param settings variables of the environment; without RETOUCH_DATA_DIR it has a folder that ends with it, and in it an
 *   empty database, so that the start need not make one
 */
export async function serve(settings: Record<string, string> = {}): Promise<Served> {
  const port = settings["RETOUCH_PORT"] ?? String(await freePort());
  const own = settings["RETOUCH_DATA_DIR"] ? undefined : await mkdtemp(path.join(tmpdir(), "retouch-test-"));
  if (own && !settings["DATABASE_URL"]) await copyEmptyDatabase(path.join(own, "database"));
  const child = spawn(process.execPath, [program, "serve"], {
    // Not the checkout, which may have a `.env` of its own.
    cwd: tmpdir(),
    env: environment({
      RETOUCH_PORT: port,
      RETOUCH_LOG_LEVEL: "warn",
      RETOUCH_DRAIN_DELAY: "0s",
      // A busy machine may take longer for an edit than the 30 s of the default, after which the edit starts over.
      RETOUCH_SHUTDOWN_DEADLINE: "100s",
      ...(own ? { RETOUCH_DATA_DIR: own } : {}),
      ...settings,
    }),
    stdio: ["ignore", "pipe", "pipe"],
  });
  const exited = once(child, "exit") as Promise<[number | null, NodeJS.Signals | null]>;
  let log = "";
  child.stderr.on("data", (chunk: Buffer) => (log += chunk.toString()));
  let welcome = "";
  await new Promise<void>((resolve, reject) => {
    child.stdout.on("data", (chunk: Buffer) => {
      welcome += chunk.toString();
      if (welcome.includes("Playground: ")) resolve();
    });
    void exited.then(([code]) => reject(new Error(`retouch serve ended with ${code}: ${log}`)));
  });
  const endpoint = /^Retouch listens at (\S+)$/m.exec(welcome)![1]!;
  const key = settings["RETOUCH_API_KEY"] ?? /^API key: (\S+)$/m.exec(welcome)?.[1] ?? "";
  return {
    welcome,
    address: endpoint.replace(`/v2/${ENDPOINT}`, ""),
    endpoint,
    key,
    pid: child.pid!,
    log: () => log,
    call: (to, init) => call(`${endpoint}${to}`, { key, ...init }),
    async end(signal) {
      child.kill(signal);
      const [code] = await exited;
      if (own) await rm(own, { recursive: true, force: true });
      return code;
    },
  };
}
