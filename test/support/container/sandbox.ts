/**
 * Runs a command with a folder as its root, in namespaces of its own, as a container engine does. Programs and libraries
 * are this machine's, laid over the folder for reading; everything else there is the folder's.
 */
import { type ChildProcess, execFile, spawn, spawnSync } from "node:child_process";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
} from "node:fs";
import { cp, mkdir, symlink, writeFile } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";

export interface Mount {
  /** On this machine. */
  readonly source: string;
  /** In the container, absolute. */
  readonly target: string;
  readonly isReadOnly: boolean;
}

export interface SandboxOptions {
  /** The folder, as {@link createRoot} made it. */
  readonly root: string;
  readonly command: readonly string[];
  /** All that the command sees of an environment. */
  readonly environment: Readonly<Record<string, string>>;
  readonly workdir: string;
  readonly user: User;
  readonly mounts?: readonly Mount[];
  /** As `--read-only --cap-drop ALL --security-opt no-new-privileges`. @default false */
  readonly isLockedDown?: boolean;
}

export interface User {
  readonly uid: number;
  readonly gid: number;
}

const SYSTEM_FOLDERS = ["usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32"];
/** Names, addresses and certificates, which `npm ci` needs for what its cache lacks. */
const SYSTEM_FILES = ["hosts", "nsswitch.conf", "resolv.conf", "ld.so.cache"];
const DEVICES = ["full", "null", "random", "urandom", "zero"];

/** The folder of this machine's Node, with npm, where it is not below /usr. */
const nodeFolder = path.dirname(path.dirname(realpathSync(process.execPath)));
const ownMounts: Mount[] = [
  ...SYSTEM_FOLDERS.filter((name) => existsSync(`/${name}`) && !lstatSync(`/${name}`).isSymbolicLink()).map(
    (name) => readOnly(`/${name}`),
  ),
  ...(nodeFolder.startsWith("/usr") ? [] : [readOnly(nodeFolder)]),
  ...(existsSync("/etc/ssl") ? [readOnly("/etc/ssl")] : []),
  readOnly("/sys"),
];

/** Where commands are looked for: as the base image has it, after this machine's Node. */
export const PATH = `${path.join(nodeFolder, "bin")}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`;

/** Mounts there are private: nothing of them is seen outside. */
const NAMESPACES = ["--mount", "--pid", "--fork", "--kill-child"];

/** Why nothing can be run so on this machine, if it cannot. */
export const noNamespacesHere: string | false = whyNot();

function whyNot(): string | false {
  if (process.platform !== "linux") return "another operating system: this one has no namespaces";
  if (process.getuid!() !== 0) return "the container is replayed as root, which this process is not";
  const { status } = spawnSync("unshare", [...NAMESPACES, "mount", "--bind", "/usr", "/usr"]);
  return status !== 0 && "this machine gives a process no namespaces of its own (unshare of util-linux)";
}

/** Makes an empty folder what a base image is to the lines above it: system folders, and the user `node`. */
export async function createRoot(root: string): Promise<void> {
  for (const name of SYSTEM_FOLDERS) {
    if (!existsSync(`/${name}`)) continue;
    if (lstatSync(`/${name}`).isSymbolicLink())
      await symlink(readlinkSync(`/${name}`), path.join(root, name));
  }
  for (const folder of ["etc", "dev", "proc", "run/secrets", "root", "home"]) {
    await mkdir(path.join(root, folder), { recursive: true });
  }
  await mkdir(path.join(root, "tmp"));
  await promisify(execFile)("chmod", ["1777", path.join(root, "tmp")]);
  for (const name of SYSTEM_FILES) {
    if (existsSync(`/etc/${name}`)) await cp(realpathSync(`/etc/${name}`), path.join(root, "etc", name));
  }
  await writeFile(
    path.join(root, "etc", "passwd"),
    "root:x:0:0:root:/root:/bin/bash\nnode:x:1000:1000::/home/node:/bin/bash\n",
  );
  await writeFile(path.join(root, "etc", "group"), "root:x:0:\nnode:x:1000:\n");
  for (const name of DEVICES) await writeFile(path.join(root, "dev", name), "");
  for (const { target } of ownMounts) mkdirSync(path.join(root, target), { recursive: true });
}

/** Starts the command, which ends with this process. Its first process is the command itself, as without `--init`. */
export function startInRoot(options: SandboxOptions): ChildProcess {
  const { root, command, environment, workdir, user, mounts = [], isLockedDown = false } = options;
  const lines = [
    "set -e",
    bind(root, root),
    ...ownMounts.map((mount) => mountLine(root, mount)),
    ...DEVICES.map((name) => bind(`/dev/${name}`, path.join(root, "dev", name))),
    `mount -t proc -o nosuid,nodev,noexec proc ${quoted(path.join(root, "proc"))}`,
    ...mounts.map((mount) => mountLine(root, mount)),
    ...(isLockedDown ? [`mount -o remount,bind,ro ${quoted(root)}`] : []),
    // A change of the user takes back that the command ends with `unshare`.
    `exec chroot ${quoted(root)} setpriv --pdeathsig KILL \\`,
    `  --reuid ${user.uid} --regid ${user.gid} --clear-groups \\`,
    ...(isLockedDown ? ["  --bounding-set=-all --inh-caps=-all --no-new-privs \\"] : []),
    `  env -C ${quoted(workdir)} ${command.map(quoted).join(" ")}`,
  ];
  return spawn("unshare", [...NAMESPACES, "sh", "-c", lines.join("\n")], {
    env: environment,
    stdio: ["ignore", "pipe", "pipe"],
  });
}

/** Runs a command beside those of a started one, in its namespaces and with its rights, as `docker exec` does. */
export function startBeside(
  started: ChildProcess,
  options: Omit<SandboxOptions, "root" | "mounts">,
): ChildProcess {
  const { command, environment, workdir, user } = options;
  const target = String(firstProcessOf(started));
  const rights = ["--bounding-set=-all", "--inh-caps=-all", "--no-new-privs"];
  const ids = ["--reuid", String(user.uid), "--regid", String(user.gid), "--clear-groups"];
  const enter = [
    "--target",
    target,
    "--mount",
    "--pid",
    `--root=/proc/${target}/root`,
    `--wd=/proc/${target}/root`,
  ];
  return spawn("nsenter", [...enter, "setpriv", ...ids, ...rights, "env", "-C", workdir, ...command], {
    env: environment,
    stdio: ["ignore", "pipe", "pipe"],
  });
}

/** The process that a container engine signals: number 1 in the container. */
export function firstProcessOf(started: ChildProcess): number {
  const { pid } = started;
  const [child] = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ");
  if (!child) throw new Error("The container has ended.");
  return Number(child);
}

/** The processes in the namespace of a started command, itself first, by their numbers on this machine. */
export function processesOf(started: ChildProcess): number[] {
  const first = firstProcessOf(started);
  const space = readlinkSync(`/proc/${first}/ns/pid`);
  const numbers = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  return numbers.map(Number).filter((pid) => {
    try {
      return readlinkSync(`/proc/${pid}/ns/pid`) === space;
    } catch {
      return false;
    }
  });
}

function readOnly(folder: string): Mount {
  return { source: folder, target: folder, isReadOnly: true };
}

const quoted = (word: string): string => `'${word.replaceAll("'", String.raw`'\''`)}'`;

const bind = (source: string, target: string, options = "bind"): string =>
  `mount -o ${options} ${quoted(source)} ${quoted(target)}`;

const mountLine = (root: string, { source, target, isReadOnly }: Mount): string =>
  bind(source, path.join(root, target), isReadOnly ? "bind,ro" : "bind");
