/**
 * Floating point operations of one denoising step, from the transformer's configuration: every linear layer at the
 * number of rows that it sees, and attention. A multiplication and an addition count as two. Norms, activations and
 * rotary turns are left out; they are far below a hundredth.
 */
import type { FluxConfig } from "../src/models/flux.ts";

/** How many tokens of each kind the network works on. */
export interface TokenCounts {
  text: number;
  target: number;
  reference: number;
}

/** Channels of the sinusoidal embedding and the feed-forward layers' factor: fixed in the reference implementation. */
const TIME_CHANNELS = 256;
const MLP_RATIO = 4;

export function flopsPerStep(config: FluxConfig, { text, target, reference }: TokenCounts): number {
  const width = config.numHeads * config.headSize;
  const images = target + reference;
  const all = text + images;
  const mlp = MLP_RATIO * width;

  // Sigma, guidance and pooled text: one row each, two layers each.
  const embedder = (inputs: number): number => linear(1, inputs, width) + linear(1, width, width);
  const embedders = embedder(TIME_CHANNELS) * (config.hasGuidance ? 2 : 1) + embedder(config.pooledSize);
  const inputs = linear(images, config.inChannels, width) + linear(text, config.promptSize, width);

  // Text and picture have weights of their own, so each layer sees its stream only; together all tokens.
  const doubleBlock =
    2 * linear(1, width, 6 * width) + // modulation of both streams
    4 * linear(all, width, width) + // query, key, value, output
    linear(all, width, mlp) +
    linear(all, mlp, width) +
    attention(all, width);
  const singleBlock =
    linear(1, width, 3 * width) +
    3 * linear(all, width, width) + // query, key, value
    linear(all, width, mlp) +
    linear(all, width + mlp, width) + // output of attention and feed-forward at once
    attention(all, width);

  const output = linear(1, width, 2 * width) + linear(target, width, config.outChannels);
  return (
    embedders + inputs + config.numDoubleBlocks * doubleBlock + config.numSingleBlocks * singleBlock + output
  );
}

const linear = (rows: number, inputs: number, outputs: number): number => 2 * rows * inputs * outputs;

/** Scores and their product with the values: two products of [L, L] by [L, C] size over all heads. */
const attention = (tokens: number, width: number): number => 2 * (2 * tokens * tokens * width);
