/** The sizes and switches of an autoencoder, from `vae/config.json`; absent fields have diffusers' defaults. */
import { RetouchError } from "../../errors.ts";
import { Config } from "../../weights/config.ts";
import {
  MAX_LATENT_CHANNELS,
  MAX_LAYERS,
  MAX_LEVELS,
  MAX_SAMPLE_SIZE,
  MAX_WIDTH,
} from "../../weights/limits.ts";
import { type Activation, readDiffusersActivation } from "../activation.ts";

/** What a level has beside its residual blocks. */
export type LevelKind = "plain" | "attention";

export interface AutoencoderConfig {
  latentChannels: number;
  /** Channels of each level, finest first; every level but the last halves the image. */
  widths: readonly number[];
  /** The encoder's levels, finest first, and the decoder's, coarsest first; a half may lack its last level. */
  downKinds: readonly LevelKind[];
  upKinds: readonly LevelKind[];
  layersPerBlock: number;
  /** Inside the residual blocks; the one before the last convolution is always silu. */
  activation: Activation;
  numGroups: number;
  hasMidAttention: boolean;
  hasQuantConv: boolean;
  hasPostQuantConv: boolean;
  /** Channels of a decoded image: 3, or 1 for grey. */
  outChannels: number;
  /** Latents are normalised as (z - shift) * scale. */
  scalingFactor: number;
  shiftFactor: number;
  /** Side of the images it was trained on, in pixels: the native area is its square. */
  sampleSize: number;
  /** Pixels that a latent cell covers along each side. */
  scaleFactor: number;
}

/** diffusers also takes each with this before it. */
const OLD_PREFIX = /^UNetRes/;
const DOWN_BLOCKS: Readonly<Record<string, LevelKind>> = {
  DownEncoderBlock2D: "plain",
  AttnDownEncoderBlock2D: "attention",
};
const UP_BLOCKS: Readonly<Record<string, LevelKind>> = {
  UpDecoderBlock2D: "plain",
  AttnUpDecoderBlock2D: "attention",
};

/** The class's default, which says nothing of a checkpoint: its pipelines never read it. */
const UNKNOWN_SAMPLE_SIZE = 32;
/** Side of the images that the published model was trained on. */
const PUBLISHED_SAMPLE_SIZE = 1024;

/** @throws RetouchError CHECKPOINT_INVALID or CHECKPOINT_UNSUPPORTED, naming file and field */
export function readAutoencoderConfig(config: Config): AutoencoderConfig {
  const fields = config.withNulls();
  const widths = fields.counts("block_out_channels", { max: MAX_WIDTH, maxLength: MAX_LEVELS }, [64]);
  const numGroups = fields.count("norm_num_groups", MAX_WIDTH, 32);
  if (widths.some((width) => width % numGroups !== 0)) {
    throw new RetouchError(
      "CHECKPOINT_INVALID",
      `In ${config.file}, norm_num_groups (${numGroups}) must divide all of block_out_channels (${widths.join(", ")}).`,
    );
  }
  if (fields.count("in_channels", MAX_WIDTH, 3) !== 3) {
    throw new RetouchError("CHECKPOINT_UNSUPPORTED", `In ${config.file}, in_channels must be 3.`);
  }
  const outChannels = fields.count("out_channels", MAX_WIDTH, 3);
  if (outChannels !== 3 && outChannels !== 1) {
    throw new RetouchError(
      "CHECKPOINT_UNSUPPORTED",
      `In ${config.file}, out_channels must be 3, or 1 for grey images, and is ${outChannels}.`,
    );
  }
  const layersPerBlock = fields.wholeNumber("layers_per_block", MAX_LAYERS, 1);
  if (layersPerBlock === 0 && widths.some((width) => width !== widths[0])) {
    throw new RetouchError(
      "CHECKPOINT_INVALID",
      `In ${config.file}, layers_per_block is 0, so all of block_out_channels (${widths.join(", ")}) must be equal.`,
    );
  }
  const scalingFactor = fields.number("scaling_factor", 0.18215);
  if (scalingFactor === 0) throw fields.invalid("scaling_factor", "another number than 0");
  return {
    latentChannels: fields.count("latent_channels", MAX_LATENT_CHANNELS, 4),
    widths,
    downKinds: levelKinds(fields, "down_block_types", DOWN_BLOCKS, widths),
    upKinds: levelKinds(fields, "up_block_types", UP_BLOCKS, widths.toReversed()),
    layersPerBlock,
    activation: readDiffusersActivation(fields, "act_fn", "silu"),
    numGroups,
    hasMidAttention: fields.truth("mid_block_add_attention", true),
    hasQuantConv: fields.truth("use_quant_conv", true),
    hasPostQuantConv: fields.truth("use_post_quant_conv", true),
    outChannels,
    scalingFactor,
    // The class's default is null, with which its pipeline fails; nothing is subtracted then.
    shiftFactor: config.number("shift_factor", 0),
    sampleSize: readSampleSize(fields),
    scaleFactor: 2 ** (widths.length - 1),
  };
}

/** @param widths of the levels in the order of the types; a last level without a type must have the width before it */
function levelKinds(
  config: Config,
  name: string,
  known: Readonly<Record<string, LevelKind>>,
  widths: readonly number[],
): LevelKind[] {
  const [usual] = Object.keys(known) as [string];
  const given = config.get(name);
  const types = given === undefined ? [usual] : given;
  const isFitting =
    Array.isArray(types) &&
    types.length > 0 &&
    (types.length === widths.length ||
      (types.length === widths.length - 1 && widths.at(-1) === widths.at(-2)));
  if (!isFitting)
    throw config.invalid(name, `a list of ${widths.length} block types, one for each of block_out_channels,`);
  return types.map((type: unknown) => {
    const block = String(type).replace(OLD_PREFIX, "");
    const kind = Object.hasOwn(known, block) ? known[block] : undefined;
    if (kind !== undefined) return kind;
    throw new RetouchError(
      "CHECKPOINT_UNSUPPORTED",
      `In ${config.file}, ${name} must name ${Object.keys(known).join(" or ")} at every level.`,
    );
  });
}

/** diffusers takes a side, or the sides of a tile; it matters here only as the area that edits are drawn at. */
function readSampleSize(config: Config): number {
  const value = config.get("sample_size");
  const first = Array.isArray(value) ? (value[0] as unknown) : value;
  const fields = new Config(config.file, { sample_size: first }, { isNullKept: true });
  const side = fields.wholeNumber("sample_size", MAX_SAMPLE_SIZE, PUBLISHED_SAMPLE_SIZE);
  return side === 0 || side === UNKNOWN_SAMPLE_SIZE ? PUBLISHED_SAMPLE_SIZE : side;
}
