/** Options that several commands share, about a checkpoint and how it is run. */
import {
  numberOf,
  parseComputeType,
  parseDevice,
  parseMemory,
  parseReferenceCache,
  parseWeights,
} from "../arguments.ts";
import { option } from "./command.ts";

export const CHECKPOINT = option(
  "--checkpoint <dir>",
  "a checkpoint folder in the layout of diffusers, or a pulled repository (default: the demo that ships)",
);
export const TRANSFORMER = option(
  "--transformer <file>",
  "a single file instead of the folder's transformer",
);
export const VAE = option("--vae <file>", "a single file instead of the folder's autoencoder");
export const TEXT_ENCODER = option(
  "--text-encoder <file>",
  "a single file instead of the folder's T5 or Qwen3",
);

/** The checkpoint's folder, and single files to use instead of its networks. */
export const NETWORK_OPTIONS = [CHECKPOINT, TRANSFORMER, VAE, TEXT_ENCODER] as const;

/** What to compute with. */
export const COMPUTE_OPTIONS = [
  option(
    "--weights <kind>",
    "auto, fp32, fp16, bf16, int8 or int4: the type of the transformer's and the text encoder's weights in memory (default: auto, what fits)",
    parseWeights,
  ),
  option("--threads <number>", "number of threads, 0 for one per core (default: 0)", numberOf("threads")),
  option(
    "--memory-limit <size>",
    "most memory to use, such as 12GB (default: what the machine has free)",
    parseMemory,
  ),
  option(
    "--device <device>",
    "auto, cpu, cuda, webgpu, coreml or dml: what to compute on (default: auto)",
    parseDevice,
  ),
  option(
    "--compute-type <type>",
    "float32, float16 or bfloat16: what the transformer computes in; a GPU takes float16 by default",
    parseComputeType,
  ),
  option(
    "--reference-cache <kind>",
    "approximate, FLUX.2 [klein] only: look at the images once per edit instead of in every step (default: in every step)",
    parseReferenceCache,
  ),
] as const;
