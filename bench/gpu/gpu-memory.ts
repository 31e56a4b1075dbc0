/** The memory in use on the first NVIDIA GPU while something runs there, by the driver's own tool. */
import { spawn } from "node:child_process";

const INTERVAL_MS = 100;

export interface MemoryWatch {
  /** The most bytes in use so far; null where the tool has reported nothing. */
  readonly largest: number | null;
  /** Ends the watch. @returns the most bytes in use, by all processes; null where there is no such tool */
  end(): Promise<number | null>;
}

/** @param command the tool; tests use another one */
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
