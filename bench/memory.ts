/** Peak memory of processes, from /proc; other systems have no such number for a process that still runs. */
import { existsSync, readdirSync, readFileSync } from "node:fs";

/**
 * The high-water mark in bytes of a process and of everything that it has started and that still runs. Pages that two of
 * them share count twice. Null where there is no /proc.
 */
export function peakTreeBytes(pid: number): number | null {
  if (!existsSync("/proc/self/status")) return null;
  const parents = parentsOfProcesses();
  const tree = [pid];
  // The list grows while it is walked: descendants of descendants.
  for (const ancestor of tree) {
    for (const [child, parent] of parents) if (parent === ancestor) tree.push(child);
  }
  return tree.reduce((sum, member) => sum + (statusBytes(member, "VmHWM") ?? 0), 0);
}

/** A field of /proc/PID/status that is given in kB, in bytes; undefined for a process that has ended. */
export function statusBytes(pid: number | "self", field: "VmHWM" | "VmRSS"): number | undefined {
  const kibibytes = new RegExp(`^${field}:\\s+(\\d+) kB$`, "m").exec(readStatus(pid))?.[1];
  return kibibytes === undefined ? undefined : Number(kibibytes) * 1024;
}

function parentsOfProcesses(): Map<number, number> {
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  return new Map(
    pids.map((pid) => [Number(pid), Number(/^PPid:\s+(\d+)$/m.exec(readStatus(Number(pid)))?.[1] ?? 0)]),
  );
}

function readStatus(pid: number | "self"): string {
  try {
    return readFileSync(`/proc/${pid}/status`, "utf8");
  } catch {
    return ""; // It has ended meanwhile.
  }
}
