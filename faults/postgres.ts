/** A PostgreSQL of our own, from the system's programs, that may be killed, stopped and filled. */
import { execFile } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { chown, mkdir, readFile } from "node:fs/promises";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import { Client } from "pg";
import { freePort } from "../tools/server.ts";
import { descendantsOf, type Program, type Programs, send } from "./programs.ts";

const run = promisify(execFile);

export interface Cluster {
  /** Of its one database. */
  url: string;
  /** Everything that it stores. */
  folder: string;
  /** Starts it, if need be again and again while the remains of one that was killed are in its way. */
  start(): Promise<void>;
  /** Ends it and all its processes as a power cut of its machine would, but for the system's own buffers. */
  kill(): Promise<void>;
  /** Sends a signal to all its processes. */
  signal(name: NodeJS.Signals): void;
}

const SYSTEM = "/usr/lib/postgresql";
const START_TIMEOUT_MS = 30_000;
/** PostgreSQL refuses to run as root. */
const NOBODY = { uid: 65_534, gid: 65_534 };
const user = process.geteuid?.() === 0 ? NOBODY : undefined;

/** Folder of the programs of the newest PostgreSQL on this machine, if there is one. */
export const programsFolder: string | undefined = (existsSync(SYSTEM) ? readdirSync(SYSTEM) : [])
  .toSorted((a, b) => Number(b) - Number(a))
  .map((version) => path.join(SYSTEM, version, "bin"))
  .find((folder) => existsSync(path.join(folder, "initdb")));

let template: Promise<string> | undefined;

/** Made once; clusters are copies. @param folder where it is made */
async function makeTemplate(folder: string): Promise<string> {
  const made = path.join(folder, "empty-cluster");
  await mkdir(made, { mode: 0o700 });
  if (user) await chown(made, user.uid, user.gid);
  const args = [
    "--pgdata",
    made,
    "--auth",
    "trust",
    "--username",
    "postgres",
    "--no-sync",
    "--encoding",
    "UTF8",
  ];
  await run(path.join(programsFolder!, "initdb"), args, { ...user, cwd: "/", env: { LC_ALL: "C.UTF-8" } });
  return made;
}

export interface ClusterOptions {
  programs: Programs;
  /** Where the template is kept, for all clusters of this process. */
  shared: string;
  /** A folder that does not exist yet. */
  folder: string;
  /** Variables of its environment. */
  env?: Record<string, string> | undefined;
}

/** Copies an empty cluster; starts nothing yet. */
export async function createCluster({ programs, shared, folder, env }: ClusterOptions): Promise<Cluster> {
  template ??= makeTemplate(shared);
  // Owners and modes as they are: PostgreSQL wants its folder for itself.
  await run("cp", ["--archive", await template, folder]);
  const port = await freePort();
  const url = `postgres://postgres@127.0.0.1:${port}/postgres`;
  let program: Program | undefined;

  async function answers(): Promise<boolean> {
    const client = new Client({ connectionString: url, connectionTimeoutMillis: 2000 });
    client.on("error", () => {});
    try {
      await client.connect();
      await client.query("select 1");
      return true;
    } catch {
      return false;
    } finally {
      await client.end().catch(() => {});
    }
  }

  const signalAll = (name: NodeJS.Signals): void => {
    if (program === undefined) return;
    for (const pid of [program.pid, ...descendantsOf(program.pid)]) send(pid, name);
  };

  return {
    url,
    folder,
    async start() {
      const until = performance.now() + START_TIMEOUT_MS;
      while (performance.now() < until) {
        if (!program?.isRunning) {
          const settings = {
            port,
            listen_addresses: "127.0.0.1",
            unix_socket_directories: "",
            max_connections: 500,
            shared_buffers: "64MB",
            max_wal_size: "128MB",
            // What the system has taken outlives a killed process.
            fsync: "off",
          };
          const flags = Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
          program = programs.start("postgres", {
            command: path.join(programsFolder!, "postgres"),
            args: ["-D", folder, ...flags],
            env: { LC_ALL: "C.UTF-8", ...env },
            user,
          });
        }
        if (await answers()) return;
        await delay(50);
      }
      const log = await readFile(path.join(path.dirname(folder), "postgres.log"), "utf8").catch(String);
      throw new Error(`PostgreSQL did not start:\n${log.slice(-2000)}`);
    },
    async kill() {
      signalAll("SIGKILL");
      await program?.ended;
    },
    signal: signalAll,
  };
}
