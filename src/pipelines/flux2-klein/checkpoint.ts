/** A checkpoint's networks by its files: configurations, checked against each other, and where the weights are. */
import { RetouchError } from "../../errors.ts";
import { MAX_QWEN3_TOKENS } from "../../models/text-encoders/qwen3-config.ts";
import { ChatTokenizer } from "../../tokenizers/chat.ts";
import type { StoredWeights } from "../../quantize/prepare.ts";
import type { Checkpoint } from "../../weights/checkpoint.ts";
import type { Config } from "../../weights/config.ts";
import { readScheduleConfig, type ScheduleConfig } from "../shared/noise-schedule.ts";
import { type KleinConfigs, PROMPT_LAYERS } from "./components.ts";
import { readAutoencoder, readQwen3, readTransformer } from "./stored.ts";

export interface KleinCheckpoint {
  schedule: ScheduleConfig;
  configs: KleinConfigs;
  tokenizer: ChatTokenizer;
  /** By the names the components use. */
  stored: Readonly<Record<"transformer" | "qwen3" | "vae", StoredWeights>>;
}

/** Whether the pipeline keeps the references' keys and values: its class decides. */
export interface KleinForm {
  areReferencesKept: boolean;
  /** Whether they are kept though the checkpoint is not of the class that is trained for it. @default false */
  isApproximate?: boolean;
}

/** A pipeline that keeps them knows no guidance; of the other, `is_distilled` says whether it does. */
export const isDistilled = (
  index: Config,
  { areReferencesKept, isApproximate = false }: KleinForm,
): boolean => (areReferencesKept && !isApproximate) || index.truth("is_distilled", false);

/**
 * Reads the configurations, and only the headers of the weights.
 * @throws RetouchError CHECKPOINT_MISSING, CHECKPOINT_INVALID or CHECKPOINT_UNSUPPORTED, naming the file
 */
export async function readKlein(checkpoint: Checkpoint, form: KleinForm): Promise<KleinCheckpoint> {
  checkpoint.assertClass("scheduler", "FlowMatchEulerDiscreteScheduler");
  const schedule = await readSchedule(checkpoint);
  const transformer = await readTransformer(checkpoint);
  const vae = await readAutoencoder(checkpoint);
  const qwen3 = await readQwen3(checkpoint, PROMPT_LAYERS);
  const numBlocks = transformer.config.numDoubleBlocks + transformer.config.numSingleBlocks;
  const configs: KleinConfigs = {
    transformer: transformer.config,
    autoencoder: vae.config,
    qwen3: qwen3.config,
    textLength: MAX_QWEN3_TOKENS,
    isDistilled: isDistilled(checkpoint.index, form),
    // Without blocks there are no keys and values to keep, and both classes are the same network.
    areReferencesKept: form.areReferencesKept && numBlocks > 0,
  };
  assertFitting(checkpoint.folder, configs);
  return {
    schedule,
    configs,
    tokenizer: await ChatTokenizer.read(checkpoint, "tokenizer"),
    stored: { transformer: transformer.weights, qwen3: qwen3.weights, vae: vae.weights },
  };
}

async function readSchedule(checkpoint: Checkpoint): Promise<ScheduleConfig> {
  const config = await checkpoint.config("scheduler/scheduler_config.json");
  // The pipeline would then leave the levels to the scheduler.
  if (config.truth("use_flow_sigmas", false)) {
    throw new RetouchError(
      "CHECKPOINT_UNSUPPORTED",
      `In ${config.file}, use_flow_sigmas is true; noise levels of the scheduler's own are not supported.`,
    );
  }
  return readScheduleConfig(config);
}

function assertFitting(folder: string, { transformer, autoencoder, qwen3 }: KleinConfigs): void {
  const { inChannels, promptSize } = transformer;
  if (inChannels !== 4 * autoencoder.latentChannels) {
    throw new RetouchError(
      "CHECKPOINT_INVALID",
      `The checkpoint ${folder} has a transformer of ${inChannels} channels and an autoencoder of ${autoencoder.latentChannels}; four times as many are wanted.`,
    );
  }
  const given = PROMPT_LAYERS.length * qwen3.width;
  if (promptSize === given) return;
  throw new RetouchError(
    "CHECKPOINT_INVALID",
    `The checkpoint ${folder} has a transformer for text embeddings of ${promptSize} numbers and a text encoder that gives ${given}: ${PROMPT_LAYERS.length} layers of ${qwen3.width}.`,
  );
}
