/** The sizes of a transformer, from `transformer/config.json`; absent fields have diffusers' defaults. */
import { RetouchError } from "../../errors.ts";
import { type Config, isWhole, shownValue } from "../../weights/config.ts";
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
export const MAX_CHANNELS = 4 * MAX_LATENT_CHANNELS;

/** The base of the rotary frequencies, fixed in the reference (`FluxPosEmbed`). */
export const ROTARY_THETA = 10_000;

/** Axes of a position: stream, row and column. */
const NUM_AXES = 3;
const MAX_AXES = 8;

/** @throws RetouchError CHECKPOINT_INVALID or CHECKPOINT_UNSUPPORTED, naming file and field */
export function readFluxConfig(config: Config): FluxConfig {
  const fields = config.withNulls();
  const inChannels = fields.count("in_channels", MAX_CHANNELS, 64);
  const headSize = fields.count("attention_head_dim", MAX_WIDTH, 128);
  return {
    inChannels,
    outChannels: readOutChannels(fields, inChannels),
    numDoubleBlocks: fields.wholeNumber("num_layers", MAX_LAYERS, 19),
    numSingleBlocks: fields.wholeNumber("num_single_layers", MAX_LAYERS, 38),
    numHeads: fields.count("num_attention_heads", MAX_HEADS, 24),
    headSize,
    promptSize: fields.count("joint_attention_dim", MAX_WIDTH, 4096),
    pooledSize: fields.count("pooled_projection_dim", MAX_WIDTH, 768),
    hasGuidance: fields.truth("guidance_embeds", false),
    rotaryAxes: readRotaryAxes(fields, headSize),
  };
}

/** Channels of a predicted token. They are added to the latents, so there must be as many as of a packed token. */
export function readOutChannels(config: Config, inChannels: number): number {
  // As in the reference, null and 0 both stand for in_channels.
  const perPatch = config.truth("out_channels", false)
    ? config.count("out_channels", MAX_CHANNELS)
    : inChannels;
  const patchSize = config.count("patch_size", MAX_WIDTH, 1);
  const outChannels = patchSize ** 2 * perPatch;
  if (outChannels === inChannels) return outChannels;
  throw new RetouchError(
    "CHECKPOINT_INVALID",
    `In ${config.file}, out_channels (${perPatch}) times the square of patch_size (${patchSize}) must be in_channels (${inChannels}).`,
  );
}

/** The reference reads an axis for each number of a position, and ignores any more. */
function readRotaryAxes(config: Config, headSize: number): number[] {
  const name = "axes_dims_rope";
  const given = config.get(name) === undefined ? [16, 56, 56] : config.get(name);
  const axes = Array.isArray(given) ? (given.slice(0, NUM_AXES) as unknown[]) : [];
  const isEven = (axis: unknown): axis is number =>
    isWhole({ min: 0, max: MAX_WIDTH })(axis) && axis % 2 === 0;
  const isFitting =
    Array.isArray(given) &&
    given.length <= MAX_AXES &&
    axes.length === NUM_AXES &&
    axes.every(isEven) &&
    axes.reduce((sum, axis) => sum + axis, 0) === headSize;
  if (isFitting) return axes as number[];
  throw new RetouchError(
    "CHECKPOINT_INVALID",
    `In ${config.file}, ${name} must be three even numbers with the sum attention_head_dim (${headSize}) and is ${shownValue(given)}.`,
  );
}
