/** A checkpoint's networks by its files: configurations, checked against each other, and where the weights are. */
import { RetouchError } from "../../errors.ts";
import type { StoredWeights } from "../../quantize/prepare.ts";
import { Tokenizer } from "../../tokenizers/tokenizer.ts";
import type { Checkpoint } from "../../weights/checkpoint.ts";
import type { KontextConfigs } from "./components.ts";
import { readScheduleConfig, type ScheduleConfig } from "./schedule.ts";
import { readAutoencoder, readClip, readT5, readTransformer } from "./stored.ts";

export interface KontextCheckpoint {
  schedule: ScheduleConfig;
  configs: KontextConfigs;
  tokenizers: { clip: Tokenizer; t5: Tokenizer };
  /** By the names the components use. */
  stored: Readonly<Record<"transformer" | "t5" | "clip" | "vae", StoredWeights>>;
}

/** The pipelines' limit for T5, whatever the tokenizer allows. */
const MAX_T5_TOKENS = 512;

/** The number of tokens that T5 encodes, for any text. */
export const t5LengthOf = (tokenizer: Tokenizer): number => Math.min(tokenizer.maxLength, MAX_T5_TOKENS);

/**
 * Reads the configurations, and only the headers of the weights.
 * @throws RetouchError CHECKPOINT_MISSING, CHECKPOINT_INVALID or CHECKPOINT_UNSUPPORTED, naming the file
 */
export async function readKontext(checkpoint: Checkpoint): Promise<KontextCheckpoint> {
  checkpoint.assertClass("scheduler", "FlowMatchEulerDiscreteScheduler");
  const schedule = readScheduleConfig(await checkpoint.config("scheduler/scheduler_config.json"));
  const transformer = await readTransformer(checkpoint);
  const vae = await readAutoencoder(checkpoint);
  const { config: flux } = transformer;
  const { config: autoencoder } = vae;
  if (flux.inChannels !== 4 * autoencoder.latentChannels) {
    throw new RetouchError(
      "CHECKPOINT_INVALID",
      `The checkpoint ${checkpoint.folder} has a transformer of ${flux.inChannels} channels and an autoencoder of ${autoencoder.latentChannels}; four times as many are wanted.`,
    );
  }
  const tokenizers = {
    clip: await Tokenizer.read(checkpoint, "tokenizer", "clip"),
    t5: await Tokenizer.read(checkpoint, "tokenizer_2", "t5"),
  };
  const { config: clip, weights: clipWeights } = await readClip(checkpoint);
  const t5 = await readT5(checkpoint);
  if (flux.promptSize !== t5.config.width || flux.pooledSize !== clip.width) {
    throw new RetouchError(
      "CHECKPOINT_INVALID",
      `The checkpoint ${checkpoint.folder} has a transformer for text embeddings of ${flux.promptSize} and ${flux.pooledSize} numbers (T5 and CLIP) and text encoders that give ${t5.config.width} and ${clip.width}.`,
    );
  }
  const clipLength = Math.min(tokenizers.clip.maxLength, clip.maxPositions);
  const t5Length = t5LengthOf(tokenizers.t5);
  return {
    schedule,
    configs: { flux, autoencoder, clip, t5: t5.config, clipLength, t5Length },
    tokenizers,
    stored: { transformer: transformer.weights, t5: t5.weights, clip: clipWeights, vae: vae.weights },
  };
}
