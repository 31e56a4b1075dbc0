/** A checkpoint's networks by its files: configurations, checked against each other, and where the weights are. */
import { RetouchError } from "../../errors.ts";
import { MAX_QWEN3_TOKENS } from "../../models/text-encoders/qwen3-config.ts";
import type { StoredWeights } from "../../quantize/prepare.ts";
import type { Checkpoint } from "../../weights/checkpoint.ts";
import type { Config } from "../../weights/config.ts";
import { readScheduleConfig, type ScheduleConfig } from "../shared/noise-schedule.ts";
import { type KleinConfigs, PROMPT_LAYERS } from "./components.ts";
import { readAutoencoder, readQwen3, readTransformer } from "./stored.ts";

/** Turns an instruction into the tokens of a conversation that begins with it. */
export interface PromptTokenizer {
  /** The file that its tokens come from. */
  readonly file: string;
  /** Exactly `length` ids, of which the first `numTokens` are no padding. */
  encode(prompt: string, length: number): { ids: readonly number[]; numTokens: number; isCut: boolean };
}

export interface KleinCheckpoint {
  schedule: ScheduleConfig;
  configs: KleinConfigs;
  tokenizer: PromptTokenizer;
  /** By the names the components use. */
  stored: Readonly<Record<"transformer" | "qwen3" | "vae", StoredWeights>>;
}

/** Whether the pipeline keeps the references' keys and values: its class decides. */
export interface KleinForm {
  areReferencesKept: boolean;
}

/** A pipeline that keeps them knows no guidance; of the other, `is_distilled` says whether it does. */
export const isDistilled = (index: Config, { areReferencesKept }: KleinForm): boolean =>
  areReferencesKept || index.truth("is_distilled", false);

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
  const configs: KleinConfigs = {
    transformer: transformer.config,
    autoencoder: vae.config,
    qwen3: qwen3.config,
    textLength: MAX_QWEN3_TOKENS,
    isDistilled: isDistilled(checkpoint.index, form),
    ...form,
  };
  assertFitting(checkpoint.folder, configs);
  return {
    schedule,
    configs,
    tokenizer: { file: "", encode: () => { throw new Error("later"); } },
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
  const { inChannels, outChannels, promptSize } = transformer;
  if (inChannels !== 4 * autoencoder.latentChannels || outChannels !== inChannels) {
    throw new RetouchError(
      "CHECKPOINT_INVALID",
      `The checkpoint ${folder} has a transformer from ${inChannels} to ${outChannels} channels and an autoencoder of ${autoencoder.latentChannels}; four times as many are wanted on both sides.`,
    );
  }
  const given = PROMPT_LAYERS.length * qwen3.width;
  if (promptSize === given) return;
  throw new RetouchError(
    "CHECKPOINT_INVALID",
    `The checkpoint ${folder} has a transformer for text embeddings of ${promptSize} numbers and a text encoder that gives ${given}: ${PROMPT_LAYERS.length} layers of ${qwen3.width}.`,
  );
}
