/** How much memory this process may take: what the machine has free, or what its container allows if that is less. */
import { readFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";

export interface MachineMemory {
  totalBytes: number;
  /** What programs can still take without swapping; memory that only caches files counts as free. */
  availableBytes: number;
  /** The limit of the container or service, and how much of it is left; absent without a limit. */
  group?: { limitBytes: number; availableBytes: number } | undefined;
}

/** The most that this process can take. */
export const usableBytes = ({ availableBytes, group }: MachineMemory): number =>
  Math.min(availableBytes, group?.availableBytes ?? Infinity);

/** @param root where `/proc` and `/sys` are @default the machine's own */
export async function readMachineMemory(root = "/"): Promise<MachineMemory> {
  const read = (...names: string[]): Promise<string> =>
    readFile(path.join(root, ...names), "utf8").catch(() => "");
  const meminfo = await read("proc", "meminfo");
  return {
    totalBytes: kibibytesOf(meminfo, "MemTotal") ?? os.totalmem(),
    // Free memory alone would leave out what the system merely keeps cached in case somebody reads it again.
    availableBytes: kibibytesOf(meminfo, "MemAvailable") ?? os.freemem(),
    group: await readGroup(read),
  };
}

type Read = (...names: string[]) => Promise<string>;

/** File names in versions 2 and 1 of Linux's control groups. */
const VERSIONS = [
  { place: ["sys", "fs", "cgroup"], limit: "memory.max", usage: "memory.current", cache: "inactive_file" },
  {
    place: ["sys", "fs", "cgroup", "memory"],
    limit: "memory.limit_in_bytes",
    usage: "memory.usage_in_bytes",
    cache: "total_inactive_file",
  },
] as const;
/** Version 1 writes "no limit" as a number close to 2^63. */
const NO_LIMIT = 2 ** 60;

/** The tightest limit among this process's group and its parents. */
async function readGroup(read: Read): Promise<MachineMemory["group"]> {
  const groups: NonNullable<MachineMemory["group"]>[] = [];
  const memberships = await read("proc", "self", "cgroup");
  for (const [version, { place, limit, usage, cache }] of VERSIONS.entries()) {
    const own = ownGroup(memberships, version === 0 ? "" : "memory");
    if (own === undefined) continue;
    // Inside a container the group's own path may not exist; its limit is then at the root.
    const parts = own.split("/").filter((part) => part !== "" && part !== "..");
    for (let depth = parts.length; depth >= 0; depth -= 1) {
      const folder = [...place, ...parts.slice(0, depth)];
      const limitBytes = amount(await read(...folder, limit));
      if (limitBytes === undefined || limitBytes >= NO_LIMIT) continue;
      const used = amount(await read(...folder, usage)) ?? 0;
      const stat = await read(...folder, "memory.stat");
      const cached = amount(afterName(stat, `${cache} `)) ?? 0;
      groups.push({ limitBytes, availableBytes: Math.max(0, limitBytes - used + cached) });
    }
  }
  return groups.toSorted((a, b) => a.availableBytes - b.availableBytes)[0];
}

/** This process's path in a controller's hierarchy; version 2 has a single hierarchy, without a name. */
function ownGroup(memberships: string, controller: string): string | undefined {
  const lines = memberships.split("\n").map((line) => line.split(":"));
  const own = lines.find(([, controllers]) => controllers?.split(",").includes(controller));
  return own?.slice(2).join(":");
}

const amount = (text: string): number | undefined =>
  /^\d+$/.test(text.trim()) ? Number(text.trim()) : undefined;

function kibibytesOf(meminfo: string, field: string): number | undefined {
  const found = /^ +(\d+) kB$/.exec(afterName(meminfo, `${field}:`))?.[1];
  return found === undefined ? undefined : Number(found) * 1024;
}

/** The rest of the line that begins with `name`. */
function afterName(text: string, name: string): string {
  const line = text.split("\n").find((start) => start.startsWith(name));
  return line?.slice(name.length) ?? "";
}
