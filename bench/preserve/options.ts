/** The command line of the benchmark. */
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";

export interface PreserveOptions {
  megapixels: number;
  /** Timed edits of each kind in each mode. */
  runs: number;
  threads: number;
}

export const USAGE = `Usage: npm run bench:preserve -- [OPTIONS]

Puts edits together at the size of their source and prints one JSON document on standard output.

  --megapixels N  of the source, 1 to 64 (default 24)
  --runs N        timed edits of each kind in each mode (default 5)
  --threads N     (default 2, or one if there is one core)
  --quick         one edit of 2 megapixels each, to see that everything works
`;

/** @throws Error with a sentence for the user */
export function parseOptions(args: readonly string[]): PreserveOptions | "help" {
  const { values } = parseArgs({
    args: [...args],
    options: {
      megapixels: { type: "string" },
      runs: { type: "string" },
      threads: { type: "string" },
      quick: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return "help";
  return {
    megapixels: countOf("megapixels", values.megapixels, values.quick ? 2 : 24, 64),
    runs: countOf("runs", values.runs, values.quick ? 1 : 5, 1000),
    threads: countOf("threads", values.threads, Math.min(availableParallelism(), 2), 64),
  };
}

function countOf(flag: string, text: string | undefined, fallback: number, most: number): number {
  if (text === undefined) return fallback;
  const count = Number(text);
  if (!Number.isInteger(count) || count < 1 || count > most) {
    throw new Error(`--${flag} must be a whole number from 1 to ${most}, not ${text}.`);
  }
  return count;
}
