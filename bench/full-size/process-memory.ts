/** How much memory this process uses, as far as the system reports it. */
import { readFileSync } from "node:fs";
import { statusBytes } from "../memory.ts";

export interface ProcessMemory {
  /** High-water mark of the process; null where the system does not report it. */
  peakBytes: number | null;
  /** The process's own memory, and pages of mapped files; null where the system does not report them. */
  privateBytes: number | null;
  mappedBytes: number | null;
}

export function processMemory(): ProcessMemory {
  const peakBytes = statusBytes("self", "VmHWM") ?? null;
  let rollup: string;
  try {
    rollup = readFileSync("/proc/self/smaps_rollup", "utf8");
  } catch {
    return { peakBytes, privateBytes: null, mappedBytes: null }; // Linux alone has it.
  }
  const bytesOf = (field: string): number =>
    Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, "m").exec(rollup)![1]) * 1024;
  const privateBytes = bytesOf("Anonymous");
  return { peakBytes, privateBytes, mappedBytes: bytesOf("Rss") - privateBytes };
}
