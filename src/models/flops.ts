/**
 * Floating point operations of one denoising step, from the transformer's configuration: every linear layer at the
 * number of rows that it sees, and attention. A multiplication and an addition count as two. Norms, activations and
 * rotary turns are left out; they are far below a hundredth. So is modulation, which is computed once an edit.
 */
import { MLP_RATIO } from "./transformers/flux.ts";
import type { FluxConfig } from "./transformers/flux-config.ts";

/** How many tokens of each kind the network works on. */
export interface TokenCounts {
  text: number;
  target: number;
  reference: number;
}

export function flopsPerStep(config: FluxConfig, { text, target, reference }: TokenCounts): number {
  const width = config.numHeads * config.headSize;
  const images = target + reference;
  const all = text + images;
  const mlp = MLP_RATIO * width;

  const inputs = linear(images, config.inChannels, width) + linear(text, config.promptSize, width);

  // Text and picture have weights of their own, so each layer sees its stream only; together all tokens.
  const doubleBlock =
    4 * linear(all, width, width) + // query, key, value, output
    linear(all, width, mlp) +
    linear(all, mlp, width) +
    attention(all, width);
  const singleBlock =
    3 * linear(all, width, width) + // query, key, value
    linear(all, width, mlp) +
    linear(all, width + mlp, width) + // output of attention and feed-forward at once
    attention(all, width);

  const output = linear(target, width, config.outChannels);
  return inputs + config.numDoubleBlocks * doubleBlock + config.numSingleBlocks * singleBlock + output;
}

/** The share of attention, in all blocks. */
export function attentionFlopsPerStep(config: FluxConfig, { text, target, reference }: TokenCounts): number {
  const blocks = config.numDoubleBlocks + config.numSingleBlocks;
  return blocks * attention(text + target + reference, config.numHeads * config.headSize);
}

const linear = (rows: number, inputs: number, outputs: number): number => 2 * rows * inputs * outputs;

/** Scores and their product with the values: two products of [L, L] by [L, C] size over all heads. */
const attention = (tokens: number, width: number): number => 2 * (2 * tokens * tokens * width);
