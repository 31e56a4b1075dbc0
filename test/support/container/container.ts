/** Starts a replayed image with the rights of compose.yaml: its own user, a root for reading, volumes for writing. */
import type { ChildProcess } from "node:child_process";
import { execFile } from "node:child_process";
import { access } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import { type Finished, finished, type Image } from "./image.ts";
import { firstProcessOf, type Mount, processesOf, startBeside, startInRoot } from "./sandbox.ts";

export interface Container {
  /** What it has printed so far. */
  stdout(): string;
  stderr(): string;
  /** Runs a command inside. */
  exec(...command: string[]): Promise<Finished>;
  /** Numbers of its processes on this machine. */
  processes(): number[];
  /** Signals the first process. @returns how it ended */
  stop(signal: NodeJS.Signals): Promise<Finished>;
  /** Ends it at once, if it has not ended. */
  kill(): void;
  /** Resolves when it has ended. */
  ended: Promise<Finished>;
}

export interface ContainerOptions {
  /** Where the folders of its volumes are on this machine; each is made of what the image has there. */
  readonly volumes: string;
  /** In place of the image's own. */
  readonly command?: readonly string[];
  readonly entrypoint?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  /** Files and folders of this machine, for reading. */
  readonly mounts?: readonly Mount[];
}

export async function startContainer(image: Image, options: ContainerOptions): Promise<Container> {
  const volumes = await Promise.all(image.volumes.map((target) => volumeOf(image, options.volumes, target)));
  const environment = { ...image.environment, ...options.environment };
  const rights = { environment, workdir: image.workdir, user: image.user, isLockedDown: true };
  const started: ChildProcess = startInRoot({
    ...rights,
    root: image.root,
    command: [...(options.entrypoint ?? image.entrypoint), ...(options.command ?? image.command)],
    mounts: [...volumes, ...(options.mounts ?? [])],
  });
  let stdout = "";
  let stderr = "";
  started.stdout!.on("data", (chunk: Buffer) => (stdout += chunk.toString()));
  started.stderr!.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
  const ended = finished(started);
  return {
    stdout: () => stdout,
    stderr: () => stderr,
    exec: (...command) => finished(startBeside(started, { ...rights, command })),
    processes: () => processesOf(started),
    stop(signal) {
      process.kill(firstProcessOf(started), signal);
      return ended;
    },
    // The whole namespace ends with `unshare`.
    kill: () => void started.kill("SIGKILL"),
    ended,
  };
}

/** As Docker fills a new named volume: with what the image has in its place, owner and mode included. */
async function volumeOf(image: Image, folder: string, target: string): Promise<Mount> {
  const source = path.join(folder, target.replaceAll("/", "_"));
  const isThere = await access(source).then(
    () => true,
    () => false,
  );
  if (!isThere) await promisify(execFile)("cp", ["-a", path.join(image.root, target), source]);
  return { source, target, isReadOnly: false };
}
