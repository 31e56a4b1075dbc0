/** The memory of the first NVIDIA GPU while something runs on it, by the driver's own tool. */
import { spawn } from "node:child_process";

const INTERVAL_MS = 100;

export interface MemoryWatch {
  /** The most bytes that were taken so far; null where nothing was told. */
  readonly largest: number | null;
  /** Ends it. @returns the most bytes that were taken, by all processes; null where there is no such tool */
  end(): Promise<number | null>;
}

/** @param command the tool; tests have another */
export function watchGpuMemory(command = "nvidia-smi"): MemoryWatch {
  const args = ["--id=0", "--query-gpu=memory.used", "--format=csv,noheader,nounits", `-lms=${INTERVAL_MS}`];
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "ignore"] });
  let [printed, largest] = ["", null as number | null];
  child.stdout.on("data", (chunk: Buffer) => {
    const lines = (printed + chunk.toString()).split("\n");
    printed = lines.pop()!;
    for (const line of lines.filter((text) => /^\s*\d+\s*$/.test(text))) {
      largest = Math.max(largest ?? 0, Number(line) * 2 ** 20);
    }
  });
  const ended = new Promise<void>((resolve) => {
    child.once("error", () => resolve());
    child.once("close", () => resolve());
  });
  return {
    get largest() {
      return largest;
    },
    async end() {
      child.kill();
      await ended;
      return largest;
    },
  };
}
