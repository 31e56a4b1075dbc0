/**
 * Identifies processes permanently. A system reuses process ids, and each container counts from 1, so an
 * identity also holds when the process started and where its id is valid.
 */
import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { readdir, readFile, readlink } from "node:fs/promises";
import { promisify } from "node:util";

export interface ProcessIdentity {
  pid: number;
  /** As the system reports it; two processes that had the same id differ in this. */
  startedAt: string;
  /** The boot of the running system, and the namespace of its process ids. */
  system: string;
}

/** Identifies this process; on a system that does not tell, the identity matches no other. */
export async function identifyThisProcess(): Promise<ProcessIdentity> {
  try {
    const [system, startedAt] = await Promise.all([identifySystem(), startOf(process.pid)]);
    if (startedAt !== undefined) return { pid: process.pid, startedAt, system };
  } catch {
    // Neither /proc nor ps: falls through to an identity that nobody can look up.
  }
  return { pid: process.pid, startedAt: "", system: randomUUID() };
}

/** Whether a process still runs; call this only for processes of this system. */
export async function isRunning({ pid, startedAt }: ProcessIdentity): Promise<boolean> {
  return (await startOf(pid)) === startedAt;
}

async function identifySystem(): Promise<string> {
  if (process.platform !== "linux") return run("sysctl", ["-n", "kern.bootsessionuuid"]);
  const [boot, numbers] = await Promise.all([
    readFile("/proc/sys/kernel/random/boot_id", "utf8"),
    readlink("/proc/self/ns/pid"),
  ]);
  return `${boot.trim()} ${numbers}`;
}

/** @returns undefined if no such process runs */
async function startOf(pid: number): Promise<string | undefined> {
  if (process.platform !== "linux") {
    // The exit code tells that a process is missing.
    return (await run("ps", ["-o", "lstart=", "-p", String(pid)]).catch(() => "")) || undefined;
  }
  try {
    const stat = await readFile(`/proc/${pid}/stat`, "utf8");
    // The second field is the program's name in parentheses, and may itself hold spaces and parentheses.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const [state, startTicks] = [fields[0]!, fields[19]!];
    if (/[ZX]/.test(state) && (await hasEnded(pid))) return undefined;
    return startTicks;
  } catch (error) {
    if (/^(ENOENT|ESRCH)$/.test((error as NodeJS.ErrnoException).code ?? "")) return undefined;
    throw error;
  }
}

/** Whether a killed process that its parent has not reaped has no other thread still in a system call. */
async function hasEnded(pid: number): Promise<boolean> {
  return (await readdir(`/proc/${pid}/task`)).length <= 1;
}

/** Runs a command in a fixed language and time zone, whatever the user's are. */
async function run(command: string, args: readonly string[]): Promise<string> {
  const env = { PATH: "/usr/bin:/bin:/usr/sbin:/sbin", LC_ALL: "C", TZ: "UTC" };
  return (await promisify(execFile)(command, args, { env })).stdout.trim();
}
