/**
 * The autoencoders in the layout of the original repositories (black-forest-labs/flux @ 802fb47,
 * `src/flux/modules/autoencoder.py`). The decoder's levels are numbered from the finest, and its attention consists of
 * 1x1 convolutions, whose bytes equal those of diffusers' linear layers. This corresponds to
 * `convert_ldm_vae_checkpoint` of diffusers 0.42.1, but nothing is converted.
 *
 * FLUX.2's has the convolutions beside the latents inside its halves, and batch statistics, neither of which diffusers
 * converts: that they are so called is what ComfyUI reads (`comfy/sd.py`, `VAE`), which takes either name of the
 * convolutions, as is done here.
 */
import type { LayoutEntry, TensorFile } from "../../weights/tensor-file.ts";
import type { AutoencoderSizes } from "../autoencoders/autoencoder-config.ts";
import { PATCH_SIDE } from "../autoencoders/flux2-autoencoder-config.ts";

/** What the file calls the convolutions beside the latents. */
interface QuantConvs {
  quantConv: string;
  postQuantConv: string;
}

/** Every tensor of FLUX.1's file, in the order of the network. */
export const originalAutoencoderLayout = (sizes: AutoencoderSizes): LayoutEntry[] =>
  layoutOf(sizes, { quantConv: "quant_conv", postQuantConv: "post_quant_conv" });

/** The same of FLUX.2's. */
export function originalFlux2AutoencoderLayout(
  sizes: AutoencoderSizes,
  file: Pick<TensorFile, "has">,
): LayoutEntry[] {
  const nameOf = (half: string, name: string): string =>
    file.has(`${name}.weight`) ? name : `${half}.${name}`;
  const statistics = ["bn.running_mean", "bn.running_var"].map((key) => {
    const shape = [PATCH_SIDE ** 2 * sizes.latentChannels];
    return { key, shape, parts: [{ key, shape }] };
  });
  return [
    ...layoutOf(sizes, {
      quantConv: nameOf("encoder", "quant_conv"),
      postQuantConv: nameOf("decoder", "post_quant_conv"),
    }),
    ...statistics,
  ];
}

function layoutOf(sizes: AutoencoderSizes, { quantConv, postQuantConv }: QuantConvs): LayoutEntry[] {
  const { widths, decoderWidths, latentChannels } = sizes;
  const [coarsest, decoderCoarsest] = [widths.at(-1)!, decoderWidths.at(-1)!];
  return [
    ...convolution("encoder.conv_in", "encoder.conv_in", [widths[0]!, 3, 3, 3]),
    ...widths.flatMap((_, level) => downLevel(sizes, level)),
    ...middle(sizes, "encoder", coarsest),
    ...norm("encoder.norm_out", "encoder.conv_norm_out", coarsest),
    ...convolution("encoder.conv_out", "encoder.conv_out", [2 * latentChannels, coarsest, 3, 3]),
    ...(sizes.hasQuantConv ? pointwise(quantConv, "quant_conv", 2 * latentChannels) : []),

    ...(sizes.hasPostQuantConv ? pointwise(postQuantConv, "post_quant_conv", latentChannels) : []),
    ...convolution("decoder.conv_in", "decoder.conv_in", [decoderCoarsest, latentChannels, 3, 3]),
    ...middle(sizes, "decoder", decoderCoarsest),
    ...decoderWidths.flatMap((_, level) => upLevel(sizes, level)),
    ...norm("decoder.norm_out", "decoder.conv_norm_out", decoderWidths[0]!),
    ...convolution("decoder.conv_out", "decoder.conv_out", [sizes.outChannels, decoderWidths[0]!, 3, 3]),
  ];
}

/** @param level 0 is the finest */
function downLevel({ widths, layersPerBlock }: AutoencoderSizes, level: number): LayoutEntry[] {
  const [from, to] = [`encoder.down.${level}`, `encoder.down_blocks.${level}`];
  const width = widths[level]!;
  const before = widths[Math.max(0, level - 1)]!;
  return [
    ...residualBlocks(`${from}.block`, `${to}.resnets`, before, width, layersPerBlock),
    ...(level === widths.length - 1
      ? []
      : convolution(`${from}.downsample.conv`, `${to}.downsamplers.0.conv`, [width, width, 3, 3])),
  ];
}

/** @param level 0 is the finest */
function upLevel({ decoderWidths, layersPerBlock }: AutoencoderSizes, level: number): LayoutEntry[] {
  const last = decoderWidths.length - 1;
  const [from, to] = [`decoder.up.${level}`, `decoder.up_blocks.${last - level}`];
  const width = decoderWidths[level]!;
  const before = decoderWidths[Math.min(last, level + 1)]!;
  return [
    ...residualBlocks(`${from}.block`, `${to}.resnets`, before, width, layersPerBlock + 1),
    ...(level === 0
      ? []
      : convolution(`${from}.upsample.conv`, `${to}.upsamplers.0.conv`, [width, width, 3, 3])),
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

const pointwise = (from: string, to: string, width: number): LayoutEntry[] =>
  convolution(from, to, [width, width, 1, 1]);
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

function middle({ hasMidAttention }: AutoencoderSizes, half: string, width: number): LayoutEntry[] {
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
