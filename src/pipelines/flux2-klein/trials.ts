/** The parts of the networks of FLUX.2 [klein] that a device is tried on: the first layers, with the same weights. */
import type { NetworkTrial } from "../../engine/component.ts";
import type { Qwen3Config } from "../../models/text-encoders/qwen3-config.ts";
import { qwen3Encoder, qwen3Inputs } from "../../models/text-encoders/qwen3.ts";
import type { Flux2Config } from "../../models/transformers/flux2-config.ts";
import { flux2References } from "../../models/transformers/flux2-references.ts";
import { flux2Embedders, type flux2Transformer } from "../../models/transformers/flux2.ts";
import type { DrawnNumbers } from "../../runtime/drawn-numbers.ts";
import { TRIAL_TOKENS } from "../shared/components.ts";

export const qwen3Trial = (qwen3: Qwen3Config): NetworkTrial => {
  const { text } = TRIAL_TOKENS;
  return {
    part: "the first layer of Qwen3",
    build: (weights) => qwen3Encoder(qwen3, weights, { length: "text", layers: [1] }),
    dims: { text, keys: text },
    inputs: (numbers) => ({
      ...qwen3Inputs(
        qwen3,
        Array.from({ length: text }, () => 0),
        text,
      ),
      tokenIds: numbers.whole([text], qwen3.vocabularySize),
    }),
  };
};

/** The whole network: all blocks share what it gives. */
export const MODULATION_TRIAL: NetworkTrial = {
  part: "the modulation",
  dims: { steps: 3 },
  inputs: () => ({ sigmas: { data: Float32Array.of(1, 0.6, 0.03), shape: [3] } }),
};

export const referencesTrial = (transformer: Flux2Config): NetworkTrial => ({
  part: "the first blocks of the references",
  build: (weights, { computeType } = {}) =>
    flux2References(firstBlocks(transformer), weights, { computeType }),
  dims: { reference: TRIAL_TOKENS.reference },
  inputs: (numbers) => rotaryInputs(transformer, numbers, TRIAL_TOKENS.reference),
});

export const embeddersTrial = (transformer: Flux2Config, hasReferences: boolean): NetworkTrial => {
  const { text, reference } = TRIAL_TOKENS;
  return {
    part: hasReferences ? "the embedders of text and references" : "the embedder of the text",
    dims: hasReferences ? { text, reference } : { text },
    build: (weights) => flux2Embedders(transformer, weights, { textLength: "text", hasReferences }),
  };
};

export const transformerTrial = (
  transformer: Flux2Config,
  buildWith: typeof flux2Transformer,
  dims: Readonly<Record<string, number>>,
): NetworkTrial => ({
  part: "the first blocks of the transformer",
  build: (weights, { computeType } = {}) =>
    buildWith(firstBlocks(transformer), weights, { textLength: "text", computeType }),
  dims,
  inputs: (numbers) => rotaryInputs(transformer, numbers, dims["tokens"]!),
  isTimed: true,
});

function rotaryInputs({ headSize }: Flux2Config, numbers: DrawnNumbers, tokens: number) {
  const { cos: rotaryCos, sin: rotarySin } = numbers.angles([1, tokens, headSize / 2]);
  return { rotaryCos, rotarySin };
}

/** One double-stream block and one single-stream block, as far as there are any. */
const firstBlocks = (transformer: Flux2Config): Flux2Config => ({
  ...transformer,
  numDoubleBlocks: Math.min(1, transformer.numDoubleBlocks),
  numSingleBlocks: Math.min(1, transformer.numSingleBlocks),
});
