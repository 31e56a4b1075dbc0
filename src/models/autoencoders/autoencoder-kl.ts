/**
 * Encoder and decoder of the autoencoder, key for key as diffusers' `AutoencoderKL`
 * (diffusers 0.42.1, `models/autoencoders/autoencoder_kl.py`).
 */
import { input, type Value } from "../../onnx/graph.ts";
import * as ops from "../../onnx/ops.ts";
import type { WeightScope } from "../../weights/weight-set.ts";
import { attend, linear } from "../layers.ts";
import type { AutoencoderSizes } from "./autoencoder-config.ts";

const EPSILON = 1e-6;

/** Builds the encoder: `pixels` [1, 3, height, width] from -1 to 1 gives `mean` [1, C, h, w], the latents' mode. */
export function autoencoderEncoder(config: AutoencoderSizes, weights: WeightScope): Record<"mean", Value> {
  const scope = weights.child("encoder");
  const { widths, numGroups, layersPerBlock } = config;
  let x = convolution(scope, "conv_in", input("pixels", "float32", [1, 3, "height", "width"]), widths[0]!);

  config.downKinds.forEach((kind, level) => {
    const block = scope.child("down_blocks", level);
    const width = widths[level]!;
    for (let layer = 0; layer < layersPerBlock; layer += 1) {
      x = residualBlock(config, block.child("resnets", layer), x, width);
      if (kind === "attention") {
        x = spatialAttention(block.child("attentions", layer), x, numGroups, positionsAt(level));
      }
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
export function autoencoderDecoder(config: AutoencoderSizes, weights: WeightScope): Record<"pixels", Value> {
  return decoderOf(config, weights, input("latents", "float32", [1, config.latentChannels, "h", "w"]));
}

/** The decoder of latents [1, C, h, w] that a graph computes. */
export function decoderOf(
  config: AutoencoderSizes,
  weights: WeightScope,
  latents: Value,
): Record<"pixels", Value> {
  const scope = weights.child("decoder");
  const { numGroups, layersPerBlock } = config;
  const widths = config.decoderWidths.toReversed();
  let x = latents;
  if (config.hasPostQuantConv) x = pointwise(weights, "post_quant_conv", x, config.latentChannels);
  x = convolution(scope, "conv_in", x, widths[0]!);
  x = midBlock(config, scope.child("mid_block"), x);

  config.upKinds.forEach((kind, level) => {
    const block = scope.child("up_blocks", level);
    const width = widths[level]!;
    // One layer more than the encoder has.
    for (let layer = 0; layer <= layersPerBlock; layer += 1) {
      x = residualBlock(config, block.child("resnets", layer), x, width);
      if (kind === "attention") {
        const positions = positionsAt(widths.length - 1 - level);
        x = spatialAttention(block.child("attentions", layer), x, numGroups, positions);
      }
    }
    if (level < widths.length - 1) x = convolution(block, "upsamplers.0.conv", ops.upsampleNearest(x), width);
  });

  x = ops.silu(groupNorm(scope, "conv_norm_out", x, numGroups));
  const pixels = convolution(scope, "conv_out", x, config.outChannels);
  // As the reference's pictures of one channel: grey.
  return { pixels: config.outChannels === 1 ? ops.concat([pixels, pixels, pixels], 1) : pixels };
}

/** The graph's name for the number of positions that attention has at a level, finest first. */
const positionsAt = (level: number): string => `positions of level ${level}`;

/**
 * Sizes of the positions that attention works on, by the names that the graphs give them.
 * @param pixels of the image
 */
export function attentionPositions({ widths }: AutoencoderSizes, pixels: number): Record<string, number> {
  return Object.fromEntries(widths.map((_, level) => [positionsAt(level), pixels / 4 ** level]));
}

function midBlock(config: AutoencoderSizes, weights: WeightScope, x: Value): Value {
  const width = x.shape[1] as number;
  const { numGroups, hasMidAttention, widths } = config;
  let result = residualBlock(config, weights.child("resnets", 0), x, width);
  if (hasMidAttention) {
    const positions = positionsAt(widths.length - 1);
    result = spatialAttention(weights.child("attentions", 0), result, numGroups, positions);
  }
  return residualBlock(config, weights.child("resnets", 1), result, width);
}

function residualBlock(
  { activation, numGroups }: AutoencoderSizes,
  weights: WeightScope,
  x: Value,
  width: number,
): Value {
  const layer = (norm: string, name: string, from: Value): Value =>
    convolution(weights, name, activation(groupNorm(weights, norm, from, numGroups)), width);
  const second = layer("norm2", "conv2", layer("norm1", "conv1", x));
  const shortcut = x.shape[1] === width ? x : pointwise(weights, "conv_shortcut", x, width);
  return ops.add(shortcut, second);
}

/** Its layers, each with the name that diffusers wrote before it had `Attention`, which it prefers where both are. */
const ATTENTION_LAYERS = [
  ["to_q", "query"],
  ["to_k", "key"],
  ["to_v", "value"],
  ["to_out.0", "proj_attn"],
] as const;

/** Single-head attention over all positions of the grid. */
function spatialAttention(weights: WeightScope, x: Value, numGroups: number, positions: string): Value {
  const width = x.shape[1] as number;
  const normed = groupNorm(weights, "group_norm", x, numGroups);
  const tokens = ops.transpose(ops.reshape(normed, [width, positions]), [1, 0]); // [h*w, C]
  const [query, key, value, out] = ATTENTION_LAYERS.map(
    ([name, oldName]) =>
      (from: Value): Value =>
        linear(weights, weights.hasChild(oldName) ? oldName : name, from, width),
  );
  const attended = attend(query!(tokens), key!(tokens), value!(tokens), { numHeads: 1 });
  const output = ops.transpose(out!(attended), [1, 0]); // [C, h*w]
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
