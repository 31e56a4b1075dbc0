/**
 * The autoencoder in the layout of the original repository (black-forest-labs/flux @ 802fb47,
 * `src/flux/modules/autoencoder.py`). The decoder's levels are numbered from the finest, and its attention consists of
 * 1x1 convolutions, whose bytes equal those of diffusers' linear layers. This corresponds to
 * `convert_ldm_vae_checkpoint` of diffusers 0.42.1, but nothing is converted.
 */
import { Config } from "../../weights/config.ts";
import type { LayoutEntry, TensorFile } from "../../weights/tensor-file.ts";
import { type AutoencoderConfig, readAutoencoderConfig } from "../autoencoders/autoencoder-config.ts";

/** Values that no shape shows, as published (black-forest-labs/FLUX.1-Kontext-dev, `vae/config.json`). */
export const PUBLISHED_AUTOENCODER = {
  norm_num_groups: 32,
  scaling_factor: 0.3611,
  shift_factor: 0.1159,
  sample_size: 1024,
};

/** Reads the sizes from the file's shapes; values that no shape shows come from `folder` or the published defaults. */
export function originalAutoencoderConfig(file: TensorFile, folder: Config | undefined): AutoencoderConfig {
  const numLevels = file.countBelow("encoder.down");
  const levels = Array.from({ length: numLevels }, (_, level) => level);
  return readAutoencoderConfig(
    new Config(folder?.file ?? file.file, {
      ...(folder?.fields ?? PUBLISHED_AUTOENCODER),
      in_channels: file.dimension("encoder.conv_in.weight", 1),
      latent_channels: file.dimension("decoder.conv_in.weight", 1),
      block_out_channels: levels.map((level) =>
        file.dimension(`encoder.down.${level}.block.0.conv1.weight`, 0),
      ),
      out_channels: file.dimension("decoder.conv_out.weight", 0),
      down_block_types: levels.map(() => "DownEncoderBlock2D"),
      up_block_types: levels.map(() => "UpDecoderBlock2D"),
      layers_per_block: file.countBelow("encoder.down.0.block"),
      mid_block_add_attention: file.has("encoder.mid.attn_1.q.weight"),
      use_quant_conv: file.has("quant_conv.weight"),
      use_post_quant_conv: file.has("post_quant_conv.weight"),
    }),
  );
}

/** Every tensor of the file, in the order of the network. */
export function originalAutoencoderLayout(config: AutoencoderConfig): LayoutEntry[] {
  const { widths, latentChannels, layersPerBlock } = config;
  const coarsest = widths.at(-1)!;
  const last = widths.length - 1;
  return [
    ...convolution("encoder.conv_in", "encoder.conv_in", [widths[0]!, 3, 3, 3]),
    ...widths.flatMap((width, level) => {
      const [from, to] = [`encoder.down.${level}`, `encoder.down_blocks.${level}`];
      return [
        ...residualBlocks(
          `${from}.block`,
          `${to}.resnets`,
          widths[Math.max(0, level - 1)]!,
          width,
          layersPerBlock,
        ),
        ...(level === last
          ? []
          : convolution(`${from}.downsample.conv`, `${to}.downsamplers.0.conv`, [width, width, 3, 3])),
      ];
    }),
    ...middle(config, "encoder", coarsest),
    ...norm("encoder.norm_out", "encoder.conv_norm_out", coarsest),
    ...convolution("encoder.conv_out", "encoder.conv_out", [2 * latentChannels, coarsest, 3, 3]),
    ...(config.hasQuantConv ? pointwise("quant_conv", 2 * latentChannels) : []),

    ...(config.hasPostQuantConv ? pointwise("post_quant_conv", latentChannels) : []),
    ...convolution("decoder.conv_in", "decoder.conv_in", [coarsest, latentChannels, 3, 3]),
    ...middle(config, "decoder", coarsest),
    ...widths.flatMap((width, level) => {
      const [from, to] = [`decoder.up.${level}`, `decoder.up_blocks.${last - level}`];
      const before = widths[Math.min(last, level + 1)]!;
      return [
        ...residualBlocks(`${from}.block`, `${to}.resnets`, before, width, layersPerBlock + 1),
        ...(level === 0
          ? []
          : convolution(`${from}.upsample.conv`, `${to}.upsamplers.0.conv`, [width, width, 3, 3])),
      ];
    }),
    ...norm("decoder.norm_out", "decoder.conv_norm_out", widths[0]!),
    ...convolution("decoder.conv_out", "decoder.conv_out", [config.outChannels, widths[0]!, 3, 3]),
  ];
}

/** Weight and bias. @param as the weight's shape in the network, if it differs */
function convolution(
  from: string,
  to: string,
  shape: readonly [number, ...number[]],
  as: readonly number[] = shape,
): LayoutEntry[] {
  const bias = [shape[0]];
  return [
    { key: `${from}.weight`, shape, parts: [{ key: `${to}.weight`, shape: as }] },
    { key: `${from}.bias`, shape: bias, parts: [{ key: `${to}.bias`, shape: bias }] },
  ];
}

const pointwise = (key: string, width: number): LayoutEntry[] => convolution(key, key, [width, width, 1, 1]);
const norm = (from: string, to: string, width: number): LayoutEntry[] => convolution(from, to, [width]);

/** @param before input channels of the first block */
function residualBlocks(
  from: string,
  to: string,
  before: number,
  width: number,
  count: number,
): LayoutEntry[] {
  return Array.from({ length: count }, (_, layer) =>
    residualBlock(`${from}.${layer}`, `${to}.${layer}`, layer === 0 ? before : width, width),
  ).flat();
}

function residualBlock(from: string, to: string, before: number, width: number): LayoutEntry[] {
  return [
    ...norm(`${from}.norm1`, `${to}.norm1`, before),
    ...convolution(`${from}.conv1`, `${to}.conv1`, [width, before, 3, 3]),
    ...norm(`${from}.norm2`, `${to}.norm2`, width),
    ...convolution(`${from}.conv2`, `${to}.conv2`, [width, width, 3, 3]),
    ...(before === width
      ? []
      : convolution(`${from}.nin_shortcut`, `${to}.conv_shortcut`, [width, before, 1, 1])),
  ];
}

function middle({ hasMidAttention }: AutoencoderConfig, half: string, width: number): LayoutEntry[] {
  const [from, to] = [`${half}.mid`, `${half}.mid_block`];
  const attention = [
    ["q", "to_q"],
    ["k", "to_k"],
    ["v", "to_v"],
    ["proj_out", "to_out.0"],
  ].flatMap(([original, name]) =>
    convolution(
      `${from}.attn_1.${original}`,
      `${to}.attentions.0.${name}`,
      [width, width, 1, 1],
      [width, width],
    ),
  );
  return [
    ...residualBlock(`${from}.block_1`, `${to}.resnets.0`, width, width),
    ...(hasMidAttention
      ? [...norm(`${from}.attn_1.norm`, `${to}.attentions.0.group_norm`, width), ...attention]
      : []),
    ...residualBlock(`${from}.block_2`, `${to}.resnets.1`, width, width),
  ];
}
