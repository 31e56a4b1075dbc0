/** What a run and the processes that feed its parsers tell each other. */

/** Stands for no input: before the first, after the last, and while memory is collected. */
export const IDLE = 0xffff_ffff;

export interface ChildTask {
  target: string;
  /** URL of the compiled module of its group. */
  module: string;
  seed: number;
  /** Indices from `from` up to `to`. */
  from: number;
  to: number;
  /** Holds the index of the input that is worked on: 4 bytes in the machine's order. */
  progressFile: string;
  /** An empty folder for its files, which the parent removes. */
  folder: string;
  /** Whether the input is shown. */
  isReplay: boolean;
}

export type ChildMessage =
  | { kind: "fed"; count: number; values: number }
  | { kind: "memory"; rssMiB: number; peakMiB: number; cpuSeconds: number }
  | { kind: "violation"; index: number; what: string; input: string }
  | { kind: "input"; input: string }
  | { kind: "done" };
