/** The parts of the networks of FLUX.1 Kontext that a device is tried on: the first layers, with the same weights. */
import type { NetworkTrial } from "../../engine/component.ts";
import { type ClipConfig, clipTextEncoder } from "../../models/text-encoders/clip.ts";
import type { T5Config } from "../../models/text-encoders/t5-config.ts";
import { positionBuckets, t5Encoder } from "../../models/text-encoders/t5.ts";
import type { FluxConfig } from "../../models/transformers/flux-config.ts";
import { fluxModulation } from "../../models/transformers/flux-modulation.ts";
import { fluxEmbedders, fluxTransformer } from "../../models/transformers/flux.ts";
import { TRIAL_TOKENS } from "../shared/components.ts";

export function clipTrial(clip: ClipConfig, length: number): NetworkTrial {
  const first = { ...clip, numLayers: Math.min(1, clip.numLayers) };
  return {
    part: "the first layer of CLIP",
    build: (weights) => clipTextEncoder(first, weights, { length }),
    dims: {},
    inputs: (numbers) => ({
      tokenIds: numbers.whole([length], clip.vocabularySize),
      endPosition: numbers.whole([1], length),
    }),
  };
}

export function t5Trial(t5: T5Config): NetworkTrial {
  const first = { ...t5, numLayers: Math.min(1, t5.numLayers) };
  const { text } = TRIAL_TOKENS;
  return {
    part: "the first layer of T5",
    build: (weights) => t5Encoder(first, weights, { length: "text" }),
    dims: { text },
    inputs: (numbers) => ({
      tokenIds: numbers.whole([text], t5.vocabularySize),
      positionBuckets: { data: positionBuckets(t5, text), shape: [1, text, text] },
    }),
  };
}

export const modulationTrial = (flux: FluxConfig): NetworkTrial => ({
  part: "the modulation of the first blocks",
  build: (weights) => fluxModulation(firstBlocks(flux), weights),
  dims: { steps: 3 },
  inputs: () => ({
    sigmas: { data: Float32Array.of(1, 0.6, 0.03), shape: [3] },
    ...(flux.hasGuidance && { guidance: { data: Float32Array.of(2.5), shape: [1] } }),
  }),
});

export const embeddersTrial = (flux: FluxConfig): NetworkTrial => ({
  part: "the embedders of text and references",
  build: (weights) => fluxEmbedders(flux, weights, { textLength: "text" }),
  dims: { text: TRIAL_TOKENS.text, reference: TRIAL_TOKENS.reference },
});

export const transformerTrial = (flux: FluxConfig, dims: Readonly<Record<string, number>>): NetworkTrial => ({
  part: "the first blocks of the transformer",
  build: (weights, { computeType } = {}) =>
    fluxTransformer(firstBlocks(flux), weights, { textLength: "text", computeType }),
  dims,
  inputs(numbers) {
    const { cos: rotaryCos, sin: rotarySin } = numbers.angles([1, dims["tokens"]!, flux.headSize / 2]);
    return { rotaryCos, rotarySin };
  },
  isTimed: true,
});

/** One double-stream block and one single-stream block, as far as there are any. */
const firstBlocks = (flux: FluxConfig): FluxConfig => ({
  ...flux,
  numDoubleBlocks: Math.min(1, flux.numDoubleBlocks),
  numSingleBlocks: Math.min(1, flux.numSingleBlocks),
});
