/** The command line of klein's benchmark. */
import { tmpdir } from "node:os";
import { parseArgs } from "node:util";
import { defaultThreads } from "../../tools/machine.ts";
import { type Kind, parseCount } from "../full-size/options.ts";
import type { StepSize } from "../full-size/step-inputs.ts";
import { type KleinFields, PUBLISHED, SMALL } from "./published.ts";

/** In the order in which they run. */
export const PARTS = ["products", "blocks", "int8", "int4", "diffusers", "cpp-int8", "cpp-int4"] as const;
export type Part = (typeof PARTS)[number];

/** Bytes that the process tree of an edit may take. */
export const MEMORY_AIMS = { int8: 6e9, int4: 4.5e9 } as const satisfies Record<Kind, number>;

export interface Options {
  parts: readonly Part[];
  fields: KleinFields;
  /** Latent sides are those of tokens, 16 pixels each. */
  size: StepSize;
  numSteps: number;
  /** Where weights are written. */
  folder: string;
  isKept: boolean;
  threads: number;
  /** Timed evaluations of each block, and of a whole transformer on the other sides. */
  runs: number;
  withStableDiffusionCpp: boolean;
  /** A document of earlier runs that this one adds its parts to. */
  results: string | undefined;
  isTable: boolean;
}

export const USAGE = `Usage: npm run bench:klein -- [OPTIONS]

Makes random weights in the shapes of FLUX.2 [klein] 4B and edits a picture at 512*512 with them in int8 and in int4,
beside diffusers in bfloat16 and stable-diffusion.cpp. Prints one JSON document on standard output.

  --only A,B        parts: ${PARTS.join(", ")} (default all)
  --results FILE    adds the parts to a document of earlier runs, and writes it there too
  --table           prints the document as the table of docs/benchmarks.md
  --folder DIR      where weights are written (default the system's temporary folder)
  --keep            leave them in DIR/retouch-klein, where a later run with --keep finds them
  --steps N         denoising steps of an edit (default 4)
  --runs N          timed evaluations of a block, and of a step on the other sides (default 2)
  --threads N       threads of each side (default one a physical core)
  --no-cpp          leave stable-diffusion.cpp out
  --small           narrow networks, to see that everything works
`;

/** 512*512: 1024 tokens each of target and reference. */
const PUBLISHED_SIZE: StepSize = { latentSide: 32, textTokens: 512 };
const SMALL_SIZE: StepSize = { latentSide: 4, textTokens: 512 };

/** @throws Error with a sentence for the user */
export function parseOptions(args: readonly string[]): Options | "help" {
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: "string", default: PARTS.join(",") },
      results: { type: "string" },
      table: { type: "boolean", default: false },
      folder: { type: "string", default: tmpdir() },
      keep: { type: "boolean", default: false },
      steps: { type: "string", default: "4" },
      runs: { type: "string", default: "2" },
      threads: { type: "string", default: String(defaultThreads()) },
      "no-cpp": { type: "boolean", default: false },
      small: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return "help";
  const wanted = new Set(values.only.split(",").map(parsePart));
  return {
    parts: PARTS.filter((part) => wanted.has(part)),
    fields: values.small ? SMALL : PUBLISHED,
    size: values.small ? SMALL_SIZE : PUBLISHED_SIZE,
    numSteps: parseCount("steps", values.steps),
    folder: values.folder,
    isKept: values.keep,
    threads: parseCount("threads", values.threads),
    runs: parseCount("runs", values.runs),
    withStableDiffusionCpp: !values["no-cpp"],
    results: values.results,
    isTable: values.table,
  };
}

function parsePart(name: string): Part {
  if (!(PARTS as readonly string[]).includes(name)) {
    throw new Error(`--only knows ${PARTS.join(", ")}, not ${name}.`);
  }
  return name as Part;
}
