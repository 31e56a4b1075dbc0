/** The engine's process as the system sees it. */
import type { ChildProcess } from "node:child_process";
import os from "node:os";

/** The process that answers HTTP has priority. */
const NICENESS = 5;

/** Threads inherit the priority of their creator, so it is set at once, before there are any. */
export function makeNice({ pid }: ChildProcess): void {
  try {
    if (pid !== undefined) os.setPriority(pid, NICENESS);
  } catch {
    // The process has already ended, which is noticed elsewhere; or the system has no priorities.
  }
}

export function endSentence(code: number | null, signal: NodeJS.Signals | null): string {
  return `The engine process ended unexpectedly (${signal ?? `exit code ${code}`}).`;
}
