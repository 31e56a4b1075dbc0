/** How much memory this process may take: what the machine has left, or what its container allows, if that is less. */
import { readFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";

export interface MachineMemory {
  totalBytes: number;
  /** What programs can still take without swapping, files that are only cached counted as free. */
  availableBytes: number;
  /** The container's or service's limit, and what of it is left; absent without one. */
  group?: { limitBytes: number; availableBytes: number } | undefined;
}

/** What this process can take at most. */
export const usableBytes = ({ availableBytes, group }: MachineMemory): number =>
  Math.min(availableBytes, group?.availableBytes ?? Infinity);

/** @param root where `/proc` and `/sys` are @default the machine's own */
export async function readMachineMemory(root = "/"): Promise<MachineMemory> {
  const read = (...names: string[]): Promise<string> =>
    readFile(path.join(root, ...names), "utf8").catch(() => "");
  const meminfo = await read("proc", "meminfo");
  return {
    totalBytes: kibibytesOf(meminfo, "MemTotal") ?? os.totalmem(),
    // Free memory alone would leave out what the system only keeps in case somebody reads it again.
    availableBytes: kibibytesOf(meminfo, "MemAvailable") ?? os.freemem(),
    group: await readGroup(read),
  };
}

type Read = (...names: string[]) => Promise<string>;

/** Names of the files of version 2 and version 1 of Linux's control groups. */
const VERSIONS = [
  { place: ["sys", "fs", "cgroup"], limit: "memory.max", usage: "memory.current", cache: "inactive_file" },
  {
    place: ["sys", "fs", "cgroup", "memory"],
    limit: "memory.limit_in_bytes",
    usage: "memory.usage_in_bytes",
    cache: "total_inactive_file",
  },
] as const;
/** Version 1 spells "no limit" as a number close to 2^63. */
const NO_LIMIT = 2 ** 60;

/** The tightest limit of this process's group and of those around it. */
async function readGroup(read: Read): Promise<MachineMemory["group"]> {
  const groups: NonNullable<MachineMemory["group"]>[] = [];
  const memberships = await read("proc", "self", "cgroup");
  for (const [version, { place, limit, usage, cache }] of VERSIONS.entries()) {
    const own = ownGroup(memberships, version === 0 ? "" : "memory");
    if (own === undefined) continue;
    // Inside a container the group's own path may not be there; then its limit stands at the top.
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

/** Where this process is in the hierarchy of a controller; version 2 has one for all of them, which has no name. */
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
