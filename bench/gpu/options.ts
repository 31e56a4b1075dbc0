/** The command line of the GPU benchmark's stages. */
import { parseArgs } from "node:util";
import { PUBLISHED_CONFIGS } from "../../src/pipelines/flux1-kontext/published.ts";
import type { FluxConfig } from "../../src/models/transformers/flux-config.ts";
import type { RuntimeOptions } from "../../src/runtime/session.ts";
import type { StepSize } from "../full-size/step-inputs.ts";

/** In order: each may need what earlier ones left in the folder. */
export const STAGES = ["parity", "weights", "pytorch", "step", "report"] as const;
export type Stage = (typeof STAGES)[number];

export type ComputeType = NonNullable<RuntimeOptions["computeType"]>;

/** What is measured on each device; the processor and WebGPU have no kernels for bfloat16. */
const DEVICES = {
  cuda: { torch: "cuda", parity: ["float32", "bfloat16", "float16"], steps: ["bfloat16", "float16"] },
  // PyTorch has no WebGPU, and a device in software no float16: what is stored or computed in it is widened.
  webgpu: { torch: "cpu", parity: ["float32"], steps: ["float32", "float16"] },
  cpu: { torch: "cpu", parity: ["float16"], steps: ["float32", "float16"] },
} as const satisfies Record<string, DeviceTypes>;
export type BenchDevice = keyof typeof DEVICES;

export interface DeviceTypes {
  /** Where PyTorch computes meanwhile. */
  torch: "cpu" | "cuda";
  /** What the shipped checkpoint is compared in. */
  parity: readonly ComputeType[];
  /** What the transformer is timed in. */
  steps: readonly ComputeType[];
}

export interface Options {
  stages: readonly Stage[];
  device: BenchDevice;
  types: DeviceTypes;
  isSmall: boolean;
  config: FluxConfig;
  size: StepSize;
  /** Timed runs, after one that is not counted. */
  runs: number;
  threads: number;
  /** Side of the square product that counts as the GPU's peak. */
  peakSide: number;
  /** Keeps weights and results from stage to stage. */
  folder: string;
  repository: string;
  checkpoint: string;
  /** The image that is edited with the checkpoint. */
  picture: string;
  python: string;
  /** The program that evaluates a step in a process of its own: `full-size/step-process.ts`, compiled. */
  stepProcess: string;
}

/** 1024*1024, the documented request: 4096 tokens each of target and reference. */
const DOCUMENTED: StepSize = { latentSide: 128, textTokens: 512 };

const { flux: PUBLISHED } = PUBLISHED_CONFIGS;
const SMALL: FluxConfig = {
  ...PUBLISHED,
  numDoubleBlocks: 1,
  numSingleBlocks: 1,
  numHeads: 2,
  promptSize: 64,
  pooledSize: 32,
};
const SMALL_STEP: StepSize = { latentSide: 8, textTokens: 24 };

/** @throws Error with a sentence for the user */
export function parseOptions(args: readonly string[]): Options {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      device: { type: "string", default: "cuda" },
      small: { type: "boolean", default: false },
      runs: { type: "string", default: "5" },
      threads: { type: "string", default: "0" },
      folder: { type: "string" },
      repository: { type: "string" },
      checkpoint: { type: "string" },
      picture: { type: "string" },
      python: { type: "string" },
      "step-process": { type: "string" },
    },
  });
  const { small: isSmall } = values;
  const device = parseDevice(values.device);
  if (device !== "cuda" && !isSmall) throw new Error("The published sizes are for CUDA: add --small.");
  const required = (
    name: "folder" | "repository" | "checkpoint" | "picture" | "python" | "step-process",
  ): string => {
    if (values[name] === undefined) throw new Error(`--${name} is missing.`);
    return values[name];
  };
  return {
    stages: positionals.length === 0 ? STAGES : positionals.map(parseStage),
    device,
    types: DEVICES[device],
    isSmall,
    config: isSmall ? SMALL : PUBLISHED,
    size: isSmall ? SMALL_STEP : DOCUMENTED,
    runs: parseCount("runs", values.runs, 1),
    threads: parseCount("threads", values.threads, 0),
    peakSide: isSmall ? 64 : 8192,
    folder: required("folder"),
    repository: required("repository"),
    checkpoint: required("checkpoint"),
    picture: required("picture"),
    python: required("python"),
    stepProcess: required("step-process"),
  };
}

function parseDevice(name: string): BenchDevice {
  if (Object.hasOwn(DEVICES, name)) return name as BenchDevice;
  throw new Error(
    `--device must be ${Object.keys(DEVICES)
      .join(", ")
      .replace(/, (?=\w+$)/, " or ")}, not ${name}.`,
  );
}

function parseStage(name: string): Stage {
  const stage = STAGES.find((known) => known === name);
  if (!stage) throw new Error(`The stages are ${STAGES.join(", ")}, not ${name}.`);
  return stage;
}

function parseCount(flag: string, text: string, least: number): number {
  const count = Number(text);
  if (!Number.isInteger(count) || count < least) {
    throw new Error(`--${flag} must be a whole number from ${least} on, not ${text}.`);
  }
  return count;
}
