/** What the numbers were measured on: machine, versions, revision. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { ROOT } from "./paths.ts";

/** Instruction sets that decide which fp32 kernels a runtime takes, as Linux spells them. */
const INSTRUCTION_SETS = ["avx2", "fma", "avx512f", "avx512bw", "avx512_vnni", "avx512_bf16", "amx_bf16"];

export interface Machine {
  cpu: string;
  /** Null where the system does not report it. */
  physicalCores: number | null;
  logicalCores: number;
  /** Null where the system does not report it. */
  instructionSets: string[] | null;
  memoryBytes: number;
  system: string;
  /** Processes that wanted a core in the last minute; near 0 on an idle machine. */
  loadAverage: number;
}

export function describeMachine(): Machine {
  const cpus = readCpuInfo();
  return {
    cpu: os.cpus()[0]?.model.trim() ?? "unknown",
    physicalCores: cpus && countPhysicalCores(cpus),
    logicalCores: os.cpus().length,
    instructionSets: cpus && instructionSetsOf(cpus[0]?.get("flags") ?? ""),
    memoryBytes: os.totalmem(),
    system: `${os.type()} ${os.release()} ${os.arch()}`,
    loadAverage: os.loadavg()[0]!,
  };
}

/** The default number of threads: one per physical core. */
export function defaultThreads(): number {
  return describeMachine().physicalCores ?? os.availableParallelism();
}

/** The version of an installed package. */
export function packageVersion(name: string): string {
  const manifest = readFileSync(path.join(ROOT, "node_modules", name, "package.json"), "utf8");
  return (JSON.parse(manifest) as { version: string }).version;
}

/** The commit that is checked out, with a plus where files differ from it; null outside a repository. */
export function gitRevision(): string | null {
  try {
    const git = (...args: string[]): string => {
      const stdio: ["ignore", "pipe", "ignore"] = ["ignore", "pipe", "ignore"];
      return execFileSync("git", args, { cwd: ROOT, encoding: "utf8", stdio }).trim();
    };
    return (
      git("rev-parse", "HEAD") + (git("status", "--porcelain", "--untracked-files=no") === "" ? "" : "+")
    );
  } catch {
    return null;
  }
}

/** One record per logical core. */
type CpuInfo = ReadonlyMap<string, string>[];

function readCpuInfo(): CpuInfo | null {
  try {
    return parseCpuInfo(readFileSync("/proc/cpuinfo", "utf8"));
  } catch {
    return null; // Only Linux has it.
  }
}

function parseCpuInfo(text: string): CpuInfo {
  const records = text.trim().split(/\n\s*\n/);
  return records.map(
    (record) => new Map(record.split("\n").map((line) => line.split(/\s*:\s*/, 2) as [string, string])),
  );
}

function countPhysicalCores(cpus: CpuInfo): number | null {
  const cores = new Set(cpus.map((cpu) => `${cpu.get("physical id")}/${cpu.get("core id")}`));
  return cpus[0]?.has("core id") ? cores.size : null;
}

function instructionSetsOf(flags: string): string[] {
  const present = new Set(flags.split(" "));
  return INSTRUCTION_SETS.filter((name) => present.has(name));
}
