/** Peak memory of processes, from /proc; other systems have no such number for a process that still runs. */
import { existsSync, readdirSync, readFileSync } from "node:fs";

/**
 * The high-water mark in bytes of a process and of everything that it has started and that still runs. Pages that two of
 * them share count twice. Null where there is no /proc.
 */
export function peakTreeBytes(pid: number): number | null {
  if (!existsSync("/proc/self/status")) return null;
  return treeOf(pid).reduce((sum, member) => sum + (statusBytes(member, "VmHWM") ?? 0), 0);
}

/**
 * The proportional set size in bytes of a process and of everything that it has started: a page that several processes
 * map counts for each of them with its share. Null where there is no /proc.
 */
export function sharedTreeBytes(pid: number): number | null {
  if (!existsSync("/proc/self/smaps_rollup")) return null;
  return treeOf(pid).reduce(
    (sum, member) => sum + (kibibytesOf("Pss", member, "smaps_rollup") ?? 0) * 1024,
    0,
  );
}

/**
 * Seconds of the processor that a process and everything it has started have taken so far, without those that have
 * ended. Null where there is no /proc.
 */
export function treeCpuSeconds(pid: number): number | null {
  if (!existsSync("/proc/self/stat")) return null;
  return treeOf(pid).reduce((sum, member) => {
    // The name in brackets may hold anything; user and system time are the 14th and 15th field.
    const fields = readOf(member, "stat")
      .replace(/^[^]*\) /, "")
      .split(" ");
    return sum + (Number(fields[11] ?? 0) + Number(fields[12] ?? 0)) / TICKS_PER_SECOND;
  }, 0);
}

/** USER_HZ, which is 100 on every architecture that Node runs on. */
const TICKS_PER_SECOND = 100;

function treeOf(pid: number): number[] {
  const parents = parentsOfProcesses();
  const tree = [pid];
  // The list grows while it is walked: descendants of descendants.
  for (const ancestor of tree) {
    for (const [child, parent] of parents) if (parent === ancestor) tree.push(child);
  }
  return tree;
}

/** A field of /proc/PID/status that is given in kB, in bytes; undefined for a process that has ended. */
export function statusBytes(pid: number | "self", field: "VmHWM" | "VmRSS"): number | undefined {
  const kibibytes = kibibytesOf(field, pid, "status");
  return kibibytes === undefined ? undefined : kibibytes * 1024;
}

/** A figure of a file in /proc/PID; undefined for a process that has ended. */
function kibibytesOf(
  field: string,
  pid: number | "self",
  file: "status" | "smaps_rollup",
): number | undefined {
  const kibibytes = new RegExp(`^${field}:\\s+(\\d+) kB$`, "m").exec(readOf(pid, file))?.[1];
  return kibibytes === undefined ? undefined : Number(kibibytes);
}

function parentsOfProcesses(): Map<number, number> {
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  return new Map(
    pids.map((pid) => [
      Number(pid),
      Number(/^PPid:\s+(\d+)$/m.exec(readOf(Number(pid), "status"))?.[1] ?? 0),
    ]),
  );
}

function readOf(pid: number | "self", file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8");
  } catch {
    return ""; // It has ended meanwhile.
  }
}
