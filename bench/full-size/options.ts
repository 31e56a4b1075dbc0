/** The command line of the full-size benchmark. */
import { parseArgs } from "node:util";
import { tmpdir } from "node:os";
import { PUBLISHED_CONFIGS } from "../../src/pipelines/flux1-kontext/published.ts";
import type { FluxConfig } from "../../src/models/transformers/flux-config.ts";
import type { T5Sizes } from "../../src/models/text-encoders/t5-config.ts";
import type { BlockFormat } from "../../src/weights/quantized.ts";
import { defaultThreads } from "../../tools/machine.ts";
import type { StepSize } from "./step-inputs.ts";

/** The formats of the blocks' matrices, as `retouch quantize` writes them. */
export const FORMATS = {
  int8: { bits: 8, blockSize: 128 },
  int4: { bits: 4, blockSize: 128 },
} as const satisfies Record<string, BlockFormat>;
export type Kind = keyof typeof FORMATS;

export interface Options {
  kinds: readonly Kind[];
  config: FluxConfig;
  t5: T5Sizes;
  size: StepSize;
  /** Where the weights are written. */
  folder: string;
  isKept: boolean;
  threads: number;
  /** Timed evaluations of the network with one block of each kind, on every side. */
  runs: number;
  withStableDiffusionCpp: boolean;
  /** Prints a table instead of JSON. */
  isTable: boolean;
}

export const USAGE = `Usage: npm run bench:12b -- [OPTIONS]

Makes random weights in the shapes of FLUX.1 Kontext dev's T5 and transformer, evaluates a text and one step at 512*512
with them and compares the transformer's first blocks with diffusers and stable-diffusion.cpp. Prints one JSON document
on standard output.

  --weights A,B     precisions of the weights: int8, int4 (default both)
  --table           prints the document as the table of docs/benchmarks.md
  --folder DIR      where the weights are written: 16 GB of disk at int8 (default the system's temporary folder)
  --keep            leave the weights there
  --runs N          timed evaluations of one block of each kind (default 2)
  --threads N       threads of each side (default one a physical core)
  --no-cpp          leave stable-diffusion.cpp out
  --small           a narrow network of few blocks, to see that everything works
`;

export const { flux: PUBLISHED } = PUBLISHED_CONFIGS;

/** 512*512: 1024 tokens each of target and reference. */
const PUBLISHED_STEP: StepSize = { latentSide: 64, textTokens: 512 };

/** stable-diffusion.cpp reads only these sizes from a file; heads and pooled text have the published sizes. */
const SMALL: FluxConfig = {
  ...PUBLISHED,
  numDoubleBlocks: 2,
  numSingleBlocks: 2,
  numHeads: 2,
  promptSize: 64,
};
const SMALL_T5: T5Sizes = {
  ...PUBLISHED_CONFIGS.t5,
  width: SMALL.promptSize,
  numHeads: 2,
  mlpWidth: 256,
  numLayers: 2,
  vocabularySize: 100,
};
const SMALL_STEP: StepSize = { latentSide: 8, textTokens: 24 };

/** The transformer and its step, in the published sizes and in small ones. */
export const SIZES = {
  published: { config: PUBLISHED, size: PUBLISHED_STEP },
  small: { config: SMALL, size: SMALL_STEP },
} as const satisfies Record<string, { config: FluxConfig; size: StepSize }>;

/** @throws Error with a sentence for the user */
export function parseOptions(args: readonly string[]): Options | "help" {
  const { values } = parseArgs({
    args: [...args],
    options: {
      weights: { type: "string", default: Object.keys(FORMATS).join(",") },
      table: { type: "boolean", default: false },
      folder: { type: "string", default: tmpdir() },
      keep: { type: "boolean", default: false },
      runs: { type: "string", default: "2" },
      threads: { type: "string", default: String(defaultThreads()) },
      "no-cpp": { type: "boolean", default: false },
      small: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return "help";
  return {
    kinds: values.weights.split(",").map(parseKind),
    config: values.small ? SMALL : PUBLISHED,
    t5: values.small ? SMALL_T5 : PUBLISHED_CONFIGS.t5,
    size: values.small ? SMALL_STEP : PUBLISHED_STEP,
    folder: values.folder,
    isKept: values.keep,
    threads: parseCount("threads", values.threads),
    runs: parseCount("runs", values.runs),
    withStableDiffusionCpp: !values["no-cpp"],
    isTable: values.table,
  };
}

function parseKind(name: string): Kind {
  if (!Object.hasOwn(FORMATS, name)) {
    throw new Error(`--weights knows ${Object.keys(FORMATS).join(" and ")}, not ${name}.`);
  }
  return name as Kind;
}

/** @throws Error with a sentence for the user */
export function parseCount(flag: string, text: string): number {
  const count = Number(text);
  if (!Number.isInteger(count) || count < 1) {
    throw new Error(`--${flag} must be a whole number above 0, not ${text}.`);
  }
  return count;
}
