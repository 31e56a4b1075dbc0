/** The command line of the benchmark. */
import { parseArgs } from "node:util";
import type { Size } from "../src/index.ts";
import { defaultThreads } from "../tools/machine.ts";
import { inRepository } from "../tools/paths.ts";
import { VARIANTS, type Variant } from "./sides/diffusers.ts";

export interface Options {
  checkpoint: string;
  size: Size;
  numSteps: number;
  /** Timed edits of each side in each comparison. */
  runs: number;
  threads: number;
  variants: readonly Variant[];
}

export const USAGE = `Usage: npm run bench -- [OPTIONS]

Edits a picture with Retouch and with diffusers by turns and prints one JSON document on standard output.

  --runs N          timed edits of each side, at least 5 for the record (default 5)
  --only A,B        variants of diffusers: ${Object.keys(VARIANTS).join(", ")} (default all)
  --steps N         denoising steps (default 28)
  --size WxH        size of picture and result (default 128x128)
  --threads N       threads of each side (default one a physical core)
  --checkpoint DIR  checkpoint folder (default checkpoints/tiny)
  --quick           2 runs of 4 steps, to see that everything works
`;

/** @throws Error with a sentence for the user */
export function parseOptions(args: readonly string[]): Options | "help" {
  const { values } = parseArgs({
    args: [...args],
    options: {
      runs: { type: "string" },
      only: { type: "string" },
      steps: { type: "string" },
      size: { type: "string", default: "128x128" },
      threads: { type: "string" },
      checkpoint: { type: "string", default: inRepository("checkpoints", "tiny") },
      quick: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return "help";
  return {
    checkpoint: values.checkpoint,
    size: parseSize(values.size),
    numSteps: parseCount("steps", values.steps, values.quick ? 4 : 28),
    runs: parseCount("runs", values.runs, values.quick ? 2 : 5),
    threads: parseCount("threads", values.threads, defaultThreads()),
    variants: parseVariants(values.only),
  };
}

function parseCount(flag: string, text: string | undefined, fallback: number): number {
  if (text === undefined) return fallback;
  const count = Number(text);
  if (!Number.isInteger(count) || count < 1)
    throw new Error(`--${flag} must be a whole number above 0, not ${text}.`);
  return count;
}

function parseSize(text: string): Size {
  const [, width, height] = /^(\d+)[x*](\d+)$/.exec(text) ?? [];
  if (width === undefined || height === undefined)
    throw new Error(`--size must be like 128x128, not ${text}.`);
  return { width: Number(width), height: Number(height) };
}

function parseVariants(text: string | undefined): Variant[] {
  const names = text?.split(",") ?? Object.keys(VARIANTS);
  return names.map((name) => {
    if (!Object.hasOwn(VARIANTS, name)) {
      throw new Error(`--only knows ${Object.keys(VARIANTS).join(", ")}, not ${name}.`);
    }
    return name as Variant;
  });
}
