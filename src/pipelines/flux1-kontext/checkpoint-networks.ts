/** What a checkpoint's files say of its networks: their sizes, held against each other, and where the weights lie. */
import { RetouchError } from "../../errors.ts";
import type { AutoencoderConfig } from "../../models/autoencoders/autoencoder-kl.ts";
import type { FluxConfig } from "../../models/transformers/flux-config.ts";
import type { Checkpoint } from "../../weights/checkpoint.ts";
import type { WeightSet } from "../../weights/weight-set.ts";
import { readAutoencoder, readTransformer, type Stored } from "./components.ts";
import type { NetworkSizes } from "../../engine/memory-plan.ts";
import { readEncoders, type StoredEncoders } from "./prompt.ts";
import { readScheduleConfig, type ScheduleConfig } from "./schedule.ts";

export interface CheckpointNetworks {
  schedule: ScheduleConfig;
  transformer: Stored<FluxConfig>;
  autoencoder: Stored<AutoencoderConfig, WeightSet>;
  encoders: StoredEncoders;
  /** What memory is planned from. */
  sizes: NetworkSizes;
}

/**
 * Reads the configurations, and of the weights the headers.
 * @throws RetouchError CHECKPOINT_MISSING, CHECKPOINT_INVALID or CHECKPOINT_UNSUPPORTED, naming the file
 */
export async function readNetworks(checkpoint: Checkpoint): Promise<CheckpointNetworks> {
  const schedule = readScheduleConfig(await checkpoint.config("scheduler/scheduler_config.json"));
  const transformer = await readTransformer(checkpoint);
  const autoencoder = await readAutoencoder(checkpoint);
  const flux = transformer.config;
  if (flux.inChannels !== 4 * autoencoder.config.latentChannels) {
    throw new RetouchError(
      "CHECKPOINT_INVALID",
      `The checkpoint ${checkpoint.folder} has a transformer of ${flux.inChannels} channels and an autoencoder of ${autoencoder.config.latentChannels}; four times as many are wanted.`,
    );
  }
  const encoders = await readEncoders(checkpoint);
  const { t5, clip } = encoders.configs;
  if (flux.promptSize !== t5.width || flux.pooledSize !== clip.width) {
    throw new RetouchError(
      "CHECKPOINT_INVALID",
      `The checkpoint ${checkpoint.folder} has a transformer for text embeddings of ${flux.promptSize} and ${flux.pooledSize} numbers (T5 and CLIP) and text encoders that give ${t5.width} and ${clip.width}.`,
    );
  }
  const sizes = { flux, autoencoder: autoencoder.config, ...encoders.configs };
  return { schedule, transformer, autoencoder, encoders, sizes };
}
