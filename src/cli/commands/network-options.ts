/** The options that several commands have in common, about a checkpoint and how it is run. */
import type { Command } from "commander";
import { numberOf, parseComputeType, parseDevice, parseMemory, parseWeights } from "../arguments.ts";

export const addCheckpointOption = (command: Command): Command =>
  command.option(
    "--checkpoint <dir>",
    "a checkpoint folder in the layout of diffusers, or a pulled repository (default: the demo that ships)",
  );

export const addTransformerOption = (command: Command): Command =>
  command.option("--transformer <file>", "a single file in the place of the folder's transformer");

export const addVaeOption = (command: Command): Command =>
  command.option("--vae <file>", "a single file in the place of the folder's autoencoder");

export const addTextEncoderOption = (command: Command): Command =>
  command.option("--text-encoder <file>", "a single file in the place of the folder's T5");

/** The folder, and the single files in the place of its networks. */
export const addNetworkOptions = (command: Command): Command =>
  addTextEncoderOption(addVaeOption(addTransformerOption(addCheckpointOption(command))));

/** What is computed with. */
export const addComputeOptions = (command: Command): Command =>
  command
    .option(
      "--weights <kind>",
      "auto, fp32, fp16, bf16, int8 or int4: what transformer and T5 are in memory (default: auto, what fits)",
      parseWeights,
    )
    .option(
      "--threads <number>",
      "threads to compute with, 0 for one a core (default: 0)",
      numberOf("threads"),
    )
    .option(
      "--memory-limit <size>",
      "memory to take at most, such as 12GB (default: what the machine has left)",
      parseMemory,
    )
    .option(
      "--device <device>",
      "auto, cpu, cuda, webgpu, coreml or dml: what to compute on (default: auto)",
      parseDevice,
    )
    .option(
      "--compute-type <type>",
      "float32, float16 or bfloat16: what the transformer computes in; half precision is for GPUs (default: float32)",
      parseComputeType,
    );
