/** What every part of klein's benchmark needs. */
import path from "node:path";
import { compile } from "../../tools/compile.mjs";
import { inRepository } from "../../tools/paths.ts";
import { runForJson } from "../full-size/child.ts";
import type { Options } from "./options.ts";
import type { KleinSizes } from "./published.ts";

export interface Bench extends Options {
  sizes: KleinSizes;
  /** For everything that is written. */
  folder: string;
  python: string;
  /** The program `flux_step`, or why there is none. */
  fluxStep: string | Error;
  signal: AbortSignal;
}

/** What a program of either side prints after it has run a network. */
export interface Run {
  loadSeconds: number;
  /** One per run. */
  seconds: number[];
  /** High-water mark of its process; null where the system does not report it. */
  peakBytes: number | null;
}

export interface Evaluated extends Run {
  /** The network's output. */
  output: Float32Array;
}

/** Runs a program of this folder in a process of its own. */
export async function runProgram<Answer extends Run>(
  { signal }: Bench,
  program: "step-process.ts" | "text-process.ts" | "load-process.ts",
  order: object,
): Promise<Answer> {
  const bundle = await compile(inRepository("bench", "klein", program));
  return runForJson<Answer>(process.execPath, [bundle, JSON.stringify(order)], signal);
}

export const runTorch = (
  { python, signal }: Bench,
  network: "transformer" | "text",
  order: object,
): Promise<Run> => {
  const script = inRepository("bench", "klein", "klein_torch.py");
  return runForJson<Run>(python, [script, network, JSON.stringify(order)], signal);
};

export const fileIn = ({ folder }: Bench, name: string): string => path.join(folder, name);
