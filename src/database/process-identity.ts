/**
 * Tells processes apart for good. A system gives the number of a process to another one later, and containers count
 * from 1 each, so to the number belong when the process started and where the number means anything.
 */
import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { readdir, readFile, readlink } from "node:fs/promises";
import { promisify } from "node:util";

export interface ProcessIdentity {
  pid: number;
  /** As the system has it; two processes that had one number differ in this. */
  startedAt: string;
  /** The running system since its boot, and there the space of process numbers. */
  system: string;
}

/** Finds out who this process is; on a system that does not tell, it has nothing in common with any other. */
export async function identifyThisProcess(): Promise<ProcessIdentity> {
  try {
    const [system, startedAt] = await Promise.all([identifySystem(), startOf(process.pid)]);
    if (startedAt !== undefined) return { pid: process.pid, startedAt, system };
  } catch {
    // No /proc, no ps: falls through to an identity that nobody can look up.
  }
  return { pid: process.pid, startedAt: "", system: randomUUID() };
}

/** Whether a process of this system, which is not asked for another's, still runs. */
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

/** @returns undefined where no such process runs */
async function startOf(pid: number): Promise<string | undefined> {
  if (process.platform !== "linux") {
    // A process that is not there is told by the exit code.
    return (await run("ps", ["-o", "lstart=", "-p", String(pid)]).catch(() => "")) || undefined;
  }
  try {
    const stat = await readFile(`/proc/${pid}/stat`, "utf8");
    // The second field is the program's name in parentheses, and may itself hold blanks and parentheses.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const [state, startTicks] = [fields[0]!, fields[19]!];
    if (/[ZX]/.test(state) && (await hasEnded(pid))) return undefined;
    return startTicks;
  } catch (error) {
    if (/^(ENOENT|ESRCH)$/.test((error as NodeJS.ErrnoException).code ?? "")) return undefined;
    throw error;
  }
}

/** Of a killed process that its parent has not asked after: whether no other thread of it is still in a system call. */
async function hasEnded(pid: number): Promise<boolean> {
  return (await readdir(`/proc/${pid}/task`)).length <= 1;
}

/** In one language and time zone, whatever those of the user are by now. */
async function run(command: string, args: readonly string[]): Promise<string> {
  const env = { PATH: "/usr/bin:/bin:/usr/sbin:/sbin", LC_ALL: "C", TZ: "UTC" };
  return (await promisify(execFile)(command, args, { env })).stdout.trim();
}
