/** The sizes of a transformer, from `transformer/config.json`; absent fields have diffusers' defaults. */
import { RetouchError } from "../../errors.ts";
import type { Config } from "../../weights/config.ts";
import { MAX_HEADS, MAX_LATENT_CHANNELS, MAX_LAYERS, MAX_WIDTH } from "../../weights/limits.ts";

export interface FluxConfig {
  /** Channels of a packed token. */
  inChannels: number;
  outChannels: number;
  numDoubleBlocks: number;
  numSingleBlocks: number;
  numHeads: number;
  headSize: number;
  /** Size of the text encoder's output, per token and pooled. */
  promptSize: number;
  pooledSize: number;
  hasGuidance: boolean;
  /** How many of a head's dimensions each position axis (stream, row, column) rotates. */
  rotaryAxes: readonly number[];
}

/** The most channels of a packed token, a 2x2 patch of latents. */
const MAX_CHANNELS = 4 * MAX_LATENT_CHANNELS;

/** @throws RetouchError CHECKPOINT_INVALID or CHECKPOINT_UNSUPPORTED, naming file and field */
export function readFluxConfig(config: Config): FluxConfig {
  const inChannels = config.count("in_channels", MAX_CHANNELS, 64);
  const parsed: FluxConfig = {
    inChannels,
    outChannels: config.count("out_channels", MAX_CHANNELS, inChannels),
    numDoubleBlocks: config.wholeNumber("num_layers", MAX_LAYERS, 19),
    numSingleBlocks: config.wholeNumber("num_single_layers", MAX_LAYERS, 38),
    numHeads: config.count("num_attention_heads", MAX_HEADS, 24),
    headSize: config.count("attention_head_dim", MAX_WIDTH, 128),
    promptSize: config.count("joint_attention_dim", MAX_WIDTH, 4096),
    pooledSize: config.count("pooled_projection_dim", MAX_WIDTH, 768),
    hasGuidance: config.boolean("guidance_embeds", false),
    rotaryAxes: config.counts("axes_dims_rope", { max: MAX_WIDTH, maxLength: 8 }, [16, 56, 56]),
  };
  const rotated = parsed.rotaryAxes.reduce((sum, axis) => sum + axis, 0);
  if (
    parsed.rotaryAxes.length !== 3 ||
    rotated !== parsed.headSize ||
    parsed.rotaryAxes.some((axis) => axis % 2)
  ) {
    throw new RetouchError(
      "CHECKPOINT_INVALID",
      `In ${config.file}, axes_dims_rope must be three even numbers with the sum attention_head_dim (${parsed.headSize}), not ${parsed.rotaryAxes.join(", ")}.`,
    );
  }
  if (config.count("patch_size", MAX_WIDTH, 1) !== 1 || parsed.outChannels !== parsed.inChannels) {
    throw new RetouchError(
      "CHECKPOINT_UNSUPPORTED",
      `In ${config.file}, patch_size must be 1 and out_channels equal to in_channels.`,
    );
  }
  return parsed;
}
