/** The command line of the comparison with other programs. */
import { parseArgs } from "node:util";
import { tmpdir } from "node:os";
import { defaultThreads } from "../../tools/machine.ts";
import { parseCount, SIZES } from "../full-size/options.ts";

export const PARTS = ["documented", "native", "cold", "blocks", "products"] as const;
export type Part = (typeof PARTS)[number];

export const CLOCKS = ["wall", "cpu"] as const;
export type Clock = (typeof CLOCKS)[number];

export interface Options {
  parts: readonly Part[];
  /** Timed rounds, in each of which every side has its turn. */
  runs: number;
  threads: number;
  /** What times are those of: the clock, or the processor, shared among the threads. */
  clock: Clock;
  /** Steps of an edit. */
  numSteps: number;
  /** The network and the step of `blocks`. */
  sizes: (typeof SIZES)["published" | "small"];
  /** Sides of the squares whose products are the machine's peaks. */
  squares: readonly number[];
  /** Where weights are written. */
  folder: string;
  /** Whether they stay there, for the next call. */
  isKept: boolean;
  /** A document that the parts are added to. */
  results: string | undefined;
  /** A document that is printed as tables, without measuring anything. */
  rendered: string | undefined;
  isTable: boolean;
}

export const USAGE = `Usage: npm run bench:peers -- [OPTIONS]

Measures Retouch beside its revision c7b9aa8, diffusers, PyTorch and stable-diffusion.cpp, all by turns, and prints one
JSON document on standard output.

  --only A,B        parts: ${PARTS.join(", ")} (default all)
  --runs N          timed rounds (default 5)
  --threads N       threads of each side (default one a physical core)
  --clock cpu       times are those of the processor over the threads: for a machine that other programs use, and one
                    thread (default wall)
  --folder DIR      where weights are written: 6 GB of disk (default the system's temporary folder)
  --keep            leaves the weights in retouch-peers in this folder, where the next call with --keep finds them
  --results FILE    adds the parts to the document in FILE, which is made if it is missing
  --table           prints the document as the tables of docs/benchmarks.md
  --render FILE     prints the document in FILE as these tables, and measures nothing
  --small           few steps and narrow networks, to see that everything works
`;

const FULL_SQUARES = [512, 1024, 2048, 3072];

/** @throws Error with a sentence for the user */
export function parseOptions(args: readonly string[]): Options | "help" {
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: "string", default: PARTS.join(",") },
      runs: { type: "string" },
      threads: { type: "string", default: String(defaultThreads()) },
      clock: { type: "string", default: CLOCKS[0] },
      folder: { type: "string", default: tmpdir() },
      keep: { type: "boolean", default: false },
      results: { type: "string" },
      table: { type: "boolean", default: false },
      render: { type: "string" },
      small: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return "help";
  const isSmall = values.small;
  return {
    parts: values.only.split(",").map(parsePart),
    runs: parseCount("runs", values.runs ?? (isSmall ? "1" : "5")),
    threads: parseCount("threads", values.threads),
    clock: parseClock(values.clock),
    numSteps: isSmall ? 2 : 28,
    sizes: isSmall ? SIZES.small : SIZES.published,
    squares: isSmall ? [128] : FULL_SQUARES,
    folder: values.folder,
    isKept: values.keep,
    results: values.results,
    rendered: values.render,
    isTable: values.table,
  };
}

function parsePart(name: string): Part {
  const part = PARTS.find((known) => known === name);
  if (part === undefined) throw new Error(`--only knows ${PARTS.join(", ")}, not ${name}.`);
  return part;
}

function parseClock(name: string): Clock {
  const clock = CLOCKS.find((known) => known === name);
  if (clock === undefined) throw new Error(`--clock knows ${CLOCKS.join(" and ")}, not ${name}.`);
  return clock;
}
