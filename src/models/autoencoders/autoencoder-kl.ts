/**
 * Encoder and decoder of the autoencoder, key for key as diffusers' `AutoencoderKL`
 * (diffusers 0.42.1, `models/autoencoders/autoencoder_kl.py`).
 */
import { RetouchError } from "../../errors.ts";
import { input, type Value } from "../../onnx/graph.ts";
import * as ops from "../../onnx/ops.ts";
import { Config } from "../../weights/config.ts";
import {
  MAX_LATENT_CHANNELS,
  MAX_LAYERS,
  MAX_LEVELS,
  MAX_SAMPLE_SIZE,
  MAX_WIDTH,
} from "../../weights/limits.ts";
import type { WeightScope } from "../../weights/weight-set.ts";
import { attend, linear } from "../layers.ts";

export interface AutoencoderConfig {
  latentChannels: number;
  /** Channels of each level, finest first; every level but the last halves the image. */
  widths: readonly number[];
  layersPerBlock: number;
  numGroups: number;
  hasMidAttention: boolean;
  hasQuantConv: boolean;
  hasPostQuantConv: boolean;
  /** Latents are normalised as (z - shift) * scale. */
  scalingFactor: number;
  shiftFactor: number;
  /** Side of the images it was trained on, in pixels: the native area is its square. */
  sampleSize: number;
  /** Pixels that a latent cell covers along each side. */
  scaleFactor: number;
}

const EPSILON = 1e-6;

export function readAutoencoderConfig(config: Config): AutoencoderConfig {
  const widths = config.counts("block_out_channels", { max: MAX_WIDTH, maxLength: MAX_LEVELS });
  for (const [name, block] of [
    ["down_block_types", "DownEncoderBlock2D"],
    ["up_block_types", "UpDecoderBlock2D"],
  ] as const) {
    const types = config.get(name);
    if (!Array.isArray(types) || types.length !== widths.length || types.some((type) => type !== block)) {
      throw new RetouchError(
        "CHECKPOINT_UNSUPPORTED",
        `In ${config.file}, ${name} must be ${block} at every level.`,
      );
    }
  }
  if (config.string("act_fn", "silu") !== "silu" || config.count("in_channels", MAX_WIDTH, 3) !== 3) {
    throw new RetouchError(
      "CHECKPOINT_UNSUPPORTED",
      `In ${config.file}, act_fn must be silu and in_channels 3.`,
    );
  }
  const numGroups = config.count("norm_num_groups", MAX_WIDTH, 32);
  if (widths.some((width) => width % numGroups !== 0)) {
    throw new RetouchError(
      "CHECKPOINT_INVALID",
      `In ${config.file}, norm_num_groups (${numGroups}) must divide all of block_out_channels (${widths.join(", ")}).`,
    );
  }
  return {
    latentChannels: config.count("latent_channels", MAX_LATENT_CHANNELS, 4),
    widths,
    layersPerBlock: config.count("layers_per_block", MAX_LAYERS, 1),
    numGroups,
    hasMidAttention: config.boolean("mid_block_add_attention", true),
    hasQuantConv: config.boolean("use_quant_conv", true),
    hasPostQuantConv: config.boolean("use_post_quant_conv", true),
    scalingFactor: config.number("scaling_factor", 0.18215),
    shiftFactor: config.number("shift_factor", 0),
    sampleSize: readSampleSize(config),
    scaleFactor: 2 ** (widths.length - 1),
  };
}

/** What a configuration has whose author chose no size: the class's default, which nobody trains a model for. */
const UNCHOSEN_SAMPLE_SIZE = 32;
/** Of the published model; diffusers' pipeline works at this size whatever the configuration says. */
const USUAL_SAMPLE_SIZE = 1024;

/** The class takes a list, too, and then its first number. */
function readSampleSize(config: Config): number {
  const given = config.get("sample_size");
  const first = new Config(config.file, { sample_size: Array.isArray(given) ? given[0] : given });
  const size = first.count("sample_size", MAX_SAMPLE_SIZE, USUAL_SAMPLE_SIZE);
  return size === UNCHOSEN_SAMPLE_SIZE ? USUAL_SAMPLE_SIZE : size;
}

/** Builds the encoder: `pixels` [1, 3, height, width] from -1 to 1 gives `mean` [1, C, h, w], the latents' mode. */
export function autoencoderEncoder(config: AutoencoderConfig, weights: WeightScope): Record<"mean", Value> {
  const scope = weights.child("encoder");
  const { widths, numGroups, layersPerBlock } = config;
  let x = convolution(scope, "conv_in", input("pixels", "float32", [1, 3, "height", "width"]), widths[0]!);

  widths.forEach((width, level) => {
    const block = scope.child("down_blocks", level);
    for (let layer = 0; layer < layersPerBlock; layer += 1) {
      x = residualBlock(block.child("resnets", layer), x, width, numGroups);
    }
    // The reference pads only right and bottom before it halves.
    if (level < widths.length - 1) {
      x = convolution(block, "downsamplers.0.conv", x, width, { stride: 2, padding: [0, 0, 1, 1] });
    }
  });

  x = midBlock(config, scope.child("mid_block"), x);
  x = ops.silu(groupNorm(scope, "conv_norm_out", x, numGroups));
  let moments = convolution(scope, "conv_out", x, 2 * config.latentChannels);
  if (config.hasQuantConv) moments = pointwise(weights, "quant_conv", moments, 2 * config.latentChannels);
  return { mean: ops.split(moments, 2, 1)[0]! };
}

/** Builds the decoder: `latents` [1, C, h, w] gives `pixels` [1, 3, height, width], about -1 to 1. */
export function autoencoderDecoder(config: AutoencoderConfig, weights: WeightScope): Record<"pixels", Value> {
  const scope = weights.child("decoder");
  const { numGroups, layersPerBlock } = config;
  const widths = config.widths.toReversed();
  let x = input("latents", "float32", [1, config.latentChannels, "h", "w"]);
  if (config.hasPostQuantConv) x = pointwise(weights, "post_quant_conv", x, config.latentChannels);
  x = convolution(scope, "conv_in", x, widths[0]!);
  x = midBlock(config, scope.child("mid_block"), x);

  widths.forEach((width, level) => {
    const block = scope.child("up_blocks", level);
    // One layer more than the encoder has.
    for (let layer = 0; layer <= layersPerBlock; layer += 1) {
      x = residualBlock(block.child("resnets", layer), x, width, numGroups);
    }
    if (level < widths.length - 1) x = convolution(block, "upsamplers.0.conv", ops.upsampleNearest(x), width);
  });

  x = ops.silu(groupNorm(scope, "conv_norm_out", x, numGroups));
  return { pixels: convolution(scope, "conv_out", x, 3) };
}

function midBlock(config: AutoencoderConfig, weights: WeightScope, x: Value): Value {
  const width = x.shape[1] as number;
  let result = residualBlock(weights.child("resnets", 0), x, width, config.numGroups);
  if (config.hasMidAttention)
    result = spatialAttention(weights.child("attentions", 0), result, config.numGroups);
  return residualBlock(weights.child("resnets", 1), result, width, config.numGroups);
}

function residualBlock(weights: WeightScope, x: Value, width: number, numGroups: number): Value {
  const first = convolution(weights, "conv1", ops.silu(groupNorm(weights, "norm1", x, numGroups)), width);
  const second = convolution(
    weights,
    "conv2",
    ops.silu(groupNorm(weights, "norm2", first, numGroups)),
    width,
  );
  const shortcut = x.shape[1] === width ? x : pointwise(weights, "conv_shortcut", x, width);
  return ops.add(shortcut, second);
}

/** Single-head attention over all positions of the grid. */
function spatialAttention(weights: WeightScope, x: Value, numGroups: number): Value {
  const width = x.shape[1] as number;
  const normed = groupNorm(weights, "group_norm", x, numGroups);
  const tokens = ops.transpose(ops.reshape(normed, [width, "positions"]), [1, 0]); // [h*w, C]
  const [query, key, value] = ["to_q", "to_k", "to_v"].map((name) => linear(weights, name, tokens, width));
  const attended = attend(query!, key!, value!, { numHeads: 1 });
  const output = ops.transpose(linear(weights, "to_out.0", attended, width), [1, 0]); // [C, h*w]
  return ops.add(x, ops.reshapeLike(output, x));
}

function groupNorm(weights: WeightScope, name: string, x: Value, numGroups: number): Value {
  const scope = weights.child(name);
  const width = x.shape[1] as number;
  return ops.groupNorm(x, scope.tensor("weight", [width]), scope.tensor("bias", [width]), numGroups, EPSILON);
}

/** A 3x3 convolution that keeps the size by default. */
function convolution(
  weights: WeightScope,
  name: string,
  x: Value,
  width: number,
  options: ops.ConvOptions = { padding: [1, 1, 1, 1] },
): Value {
  return convolutionOf(weights, name, x, width, 3, options);
}

const pointwise = (weights: WeightScope, name: string, x: Value, width: number): Value =>
  convolutionOf(weights, name, x, width, 1, {});

function convolutionOf(
  weights: WeightScope,
  name: string,
  x: Value,
  width: number,
  kernel: number,
  options: ops.ConvOptions,
): Value {
  const scope = weights.child(name);
  const weight = scope.tensor("weight", [width, x.shape[1] as number, kernel, kernel]);
  return ops.conv2d(x, weight, scope.tensor("bias", [width]), options);
}
