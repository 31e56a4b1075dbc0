/** The sizes and switches of an autoencoder, from `vae/config.json`; absent fields have diffusers' defaults. */
import { anyOf, RetouchError } from "../../errors.ts";
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

/** What the autoencoders of all models have. */
export interface AutoencoderSizes {
  latentChannels: number;
  /** Channels of the encoder's levels, finest first; every level but the last halves the image. */
  widths: readonly number[];
  /** Channels of the decoder's levels, finest first. */
  decoderWidths: readonly number[];
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
  /** Side of the images it was trained on, in pixels: the native area is its square. */
  sampleSize: number;
  /** Pixels that a latent cell covers along each side. */
  scaleFactor: number;
}

/** The sizes of an `AutoencoderKL`. */
export interface AutoencoderConfig extends AutoencoderSizes {
  /** Latents are normalised as (z - shift) * scale. */
  scalingFactor: number;
  shiftFactor: number;
}

/** What a class takes for the fields that its configuration lacks. */
export interface ClassDefaults {
  widths: readonly number[];
  layersPerBlock: number;
  latentChannels: number;
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
  const scalingFactor = fields.number("scaling_factor", 0.18215);
  if (scalingFactor === 0) throw fields.invalid("scaling_factor", "another number than 0");
  return {
    ...readAutoencoderSizes(config, { widths: [64], layersPerBlock: 1, latentChannels: 4 }),
    scalingFactor,
    // The class's default is null, with which its pipeline fails; nothing is subtracted then.
    shiftFactor: config.number("shift_factor", 0),
  };
}

/**
 * @param decoderField the field that may give the decoder other widths than the encoder's, if the class has one
 * @throws as {@link readAutoencoderConfig}
 */
export function readAutoencoderSizes(
  config: Config,
  defaults: ClassDefaults,
  decoderField?: string,
): AutoencoderSizes {
  const fields = config.withNulls();
  const widthsOf = (name: string): readonly number[] =>
    fields.counts(name, { max: MAX_WIDTH, maxLength: MAX_LEVELS }, defaults.widths);
  const widths = widthsOf("block_out_channels");
  const hasOwn = decoderField !== undefined && fields.truth(decoderField, false);
  const decoderWidths = hasOwn ? widthsOf(decoderField) : widths;
  if (decoderWidths.length !== widths.length) {
    throw fields.invalid(decoderField!, `a list of ${widths.length} widths, as block_out_channels is,`);
  }
  const numGroups = fields.count("norm_num_groups", MAX_WIDTH, 32);
  const layersPerBlock = fields.wholeNumber("layers_per_block", MAX_LAYERS, defaults.layersPerBlock);
  assertGroups(fields, "block_out_channels", widths, numGroups);
  if (hasOwn) assertGroups(fields, decoderField, decoderWidths, numGroups);
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
  if (layersPerBlock === 0 && widths.some((width) => width !== widths[0])) {
    throw new RetouchError(
      "CHECKPOINT_INVALID",
      `In ${config.file}, layers_per_block is 0, so all of block_out_channels (${widths.join(", ")}) must be equal.`,
    );
  }
  const numLevels = defaults.widths.length;
  return {
    latentChannels: fields.count("latent_channels", MAX_LATENT_CHANNELS, defaults.latentChannels),
    widths,
    decoderWidths,
    downKinds: levelKinds(fields, "down_block_types", DOWN_BLOCKS, widths, numLevels),
    upKinds: levelKinds(fields, "up_block_types", UP_BLOCKS, decoderWidths.toReversed(), numLevels),
    layersPerBlock,
    activation: readDiffusersActivation(fields, "act_fn", "silu"),
    numGroups,
    hasMidAttention: fields.truth("mid_block_add_attention", true),
    hasQuantConv: fields.truth("use_quant_conv", true),
    hasPostQuantConv: fields.truth("use_post_quant_conv", true),
    outChannels,
    sampleSize: readSampleSize(fields),
    scaleFactor: 2 ** (widths.length - 1),
  };
}

function assertGroups({ file }: Config, name: string, widths: readonly number[], numGroups: number): void {
  if (widths.every((width) => width % numGroups === 0)) return;
  throw new RetouchError(
    "CHECKPOINT_INVALID",
    `In ${file}, norm_num_groups (${numGroups}) must divide all of ${name} (${widths.join(", ")}).`,
  );
}

/**
 * @param widths of the levels in the order of the types; a last level without a type must have the width before it
 * @param numUsual how many levels of the usual kind there are where the field is absent
 */
function levelKinds(
  config: Config,
  name: string,
  known: Readonly<Record<string, LevelKind>>,
  widths: readonly number[],
  numUsual: number,
): LevelKind[] {
  const [usual] = Object.keys(known) as [string];
  const given = config.get(name);
  const types = given === undefined ? Array<string>(numUsual).fill(usual) : given;
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
      `In ${config.file}, ${name} must name ${anyOf(Object.keys(known))} at every level.`,
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
