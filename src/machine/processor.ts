/** What this machine computes with, as far as the system reports it. */
import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";

export interface Processor {
  model: string;
  logicalCores: number;
  /** Absent if the system does not report it. */
  physicalCores?: number | undefined;
  /** Those of the speed-relevant instruction sets that it has; absent if the system does not report them. */
  instructionSets?: string[] | undefined;
}

/** As Linux writes them: `flags` on x86, `Features` on ARM. */
const INSTRUCTION_SETS =
  "avx avx2 fma avx512f avx_vnni avx512_vnni avx512_bf16 amx_int8 amx_bf16 asimd asimddp i8mm bf16 sve".split(
    " ",
  );

/** @param root where `/proc` is @default the machine's own */
export async function readProcessor(root = "/"): Promise<Processor> {
  const text = await readFile(path.join(root, "proc", "cpuinfo"), "utf8").catch(() => "");
  const cpus = text.split(/\n\s*\n/).map((record) => new Map(record.split("\n").map(entryOf)));
  const cores = new Set(
    cpus.filter((cpu) => cpu.has("core id")).map((cpu) => `${cpu.get("physical id")}/${cpu.get("core id")}`),
  );
  const flags = cpus[0]?.get("flags") ?? cpus[0]?.get("Features");
  const present = new Set(flags?.split(" "));
  return {
    model: os.cpus()[0]?.model.trim() || "unknown",
    logicalCores: os.availableParallelism(),
    physicalCores: cores.size || undefined,
    instructionSets: flags === undefined ? undefined : INSTRUCTION_SETS.filter((name) => present.has(name)),
  };
}

/**
 * Whether an x86 processor has an instruction that adds up products of bytes in 32 bits. Without one, the runtime adds up
 * pairs of them in 16 bits, which large bytes overflow without an error.
 * @param root where `/proc` is @default the machine's own
 * @returns false if the system does not report it
 */
export function addsByteProducts(root = "/"): boolean {
  let text: string;
  try {
    text = readFileSync(path.join(root, "proc", "cpuinfo"), "utf8");
  } catch {
    return false;
  }
  return /^flags\s.{0,20000}\s(?:avx512_vnni|avx_vnni)(?:\s|$)/m.test(text);
}

function entryOf(line: string): [string, string] {
  const [name = "", value = ""] = line.split(":", 2);
  return [name.trim(), value.trim()];
}
