/**
 * How many weights each network has, by its configuration alone: what memory, disk and time are planned from. The
 * networks themselves are in `models/`; a test counts theirs against these.
 */
import type { AutoencoderConfig } from "./autoencoders/autoencoder-kl.ts";
import type { ClipConfig } from "./text-encoders/clip.ts";
import { MLP_RATIO } from "./transformers/flux.ts";
import type { FluxConfig } from "./transformers/flux-config.ts";
import { TIME_CHANNELS } from "./transformers/flux-modulation.ts";
import type { T5Sizes } from "./text-encoders/t5.ts";

export interface ParameterCount {
  /** Of linear layers, which a quantised file has in few bits. */
  matrices: number;
  /** Embeddings, convolutions, norms and biases. */
  others: number;
}

export type ClipSizes = Omit<ClipConfig, "activation" | "endTokenId" | "epsilon">;

export const totalOf = ({ matrices, others }: ParameterCount): number => matrices + others;

/** What shift, scale and gate vectors are computed with; it runs once an edit. */
export function modulationParameters(config: FluxConfig): ParameterCount {
  const width = config.numHeads * config.headSize;
  const embedder = (inputs: number): ParameterCount => sum([linear(inputs, width), linear(width, width)]);
  return sum([
    times(config.hasGuidance ? 2 : 1, embedder(TIME_CHANNELS)),
    embedder(config.pooledSize),
    times(2 * config.numDoubleBlocks, linear(width, 6 * width)),
    times(config.numSingleBlocks, linear(width, 3 * width)),
    linear(width, 2 * width),
  ]);
}

/** The rest of the transformer, which runs in every step. */
export function transformerParameters(config: FluxConfig): ParameterCount {
  const { inChannels, promptSize, headSize } = config;
  const width = config.numHeads * headSize;
  const mlp = MLP_RATIO * width;
  const stream = sum([
    times(4, linear(width, width)), // query, key, value, output
    linear(width, mlp),
    linear(mlp, width),
    plain(2 * headSize), // norms of query and key
  ]);
  const single = sum([
    times(3, linear(width, width)), // query, key, value
    linear(width, mlp),
    linear(width + mlp, width),
    plain(2 * headSize),
  ]);
  return sum([
    linear(inChannels, width),
    linear(promptSize, width),
    times(2 * config.numDoubleBlocks, stream), // text and picture
    times(config.numSingleBlocks, single),
    linear(width, config.outChannels),
  ]);
}

export function clipParameters(config: ClipSizes): ParameterCount {
  const { width, mlpWidth } = config;
  const layer = sum([
    times(4, linear(width, width)),
    linear(width, mlpWidth),
    linear(mlpWidth, width),
    times(2, norm(width)),
  ]);
  const embeddings = plain((config.vocabularySize + config.maxPositions) * width);
  return sum([embeddings, times(config.numLayers, layer), norm(width)]);
}

export function t5Parameters(config: T5Sizes): ParameterCount {
  const { width, mlpWidth, numHeads, isGated } = config;
  const layer: ParameterCount = {
    matrices: 4 * width * numHeads * config.headSize + (isGated ? 3 : 2) * width * mlpWidth,
    others: 2 * width,
  };
  const positions = plain(config.numBuckets * numHeads);
  return sum([plain(config.vocabularySize * width), positions, times(config.numLayers, layer), plain(width)]);
}

/** Encoder or decoder of the autoencoder; their linear layers are too small to be told apart. */
export function encoderParameters(config: AutoencoderConfig): ParameterCount {
  const { widths, layersPerBlock, latentChannels } = config;
  const levels = widths.map((width, level) => {
    const isLast = level === widths.length - 1;
    return (
      residualBlocks(widths[Math.max(0, level - 1)]!, width, layersPerBlock) +
      (isLast ? 0 : convolution(width, width, 3))
    );
  });
  const quant = config.hasQuantConv ? convolution(2 * latentChannels, 2 * latentChannels, 1) : 0;
  const last = widths.at(-1)!;
  return plain(
    convolution(3, widths[0]!, 3) +
      total(levels) +
      middle(config) +
      2 * last +
      convolution(last, 2 * latentChannels, 3) +
      quant,
  );
}

export function decoderParameters(config: AutoencoderConfig): ParameterCount {
  const { layersPerBlock, latentChannels } = config;
  const widths = config.widths.toReversed();
  const levels = widths.map((width, level) => {
    const isLast = level === widths.length - 1;
    return (
      residualBlocks(widths[Math.max(0, level - 1)]!, width, layersPerBlock + 1) +
      (isLast ? 0 : convolution(width, width, 3))
    );
  });
  const quant = config.hasPostQuantConv ? convolution(latentChannels, latentChannels, 1) : 0;
  const last = widths.at(-1)!;
  return plain(
    quant +
      convolution(latentChannels, widths[0]!, 3) +
      middle(config) +
      total(levels) +
      2 * last +
      convolution(last, 3, 3),
  );
}

function middle({ widths, hasMidAttention }: AutoencoderConfig): number {
  const width = widths.at(-1)!;
  const attention = hasMidAttention ? 2 * width + 4 * (width * width + width) : 0;
  return residualBlocks(width, width, 2) + attention;
}

/** @param from channels of the first one's input */
function residualBlocks(from: number, width: number, count: number): number {
  const block = (inputs: number): number =>
    2 * inputs +
    convolution(inputs, width, 3) +
    2 * width +
    convolution(width, width, 3) +
    (inputs === width ? 0 : convolution(inputs, width, 1));
  return count === 0 ? 0 : block(from) + (count - 1) * block(width);
}

const convolution = (inputs: number, outputs: number, kernel: number): number =>
  inputs * outputs * kernel ** 2 + outputs;
const linear = (inputs: number, outputs: number): ParameterCount => ({
  matrices: inputs * outputs,
  others: outputs,
});
const norm = (width: number): ParameterCount => plain(2 * width);
const plain = (others: number): ParameterCount => ({ matrices: 0, others });
const times = (count: number, { matrices, others }: ParameterCount): ParameterCount => ({
  matrices: count * matrices,
  others: count * others,
});
const sum = (counts: readonly ParameterCount[]): ParameterCount => ({
  matrices: total(counts.map(({ matrices }) => matrices)),
  others: total(counts.map(({ others }) => others)),
});
const total = (numbers: readonly number[]): number => numbers.reduce((all, number) => all + number, 0);
