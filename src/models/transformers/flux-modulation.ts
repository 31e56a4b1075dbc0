/**
 * Computes the shift, scale and gate vectors of every block's adaptive norms from the noise level, guidance and the
 * pooled text (diffusers 0.42.1, `CombinedTimestepGuidanceTextProjEmbeddings` and `AdaLayerNorm*`).
 *
 * They do not depend on the tokens, so they are a separate network that runs once per edit, for all steps together. In
 * the published model these layers are more than a quarter of the weights, which the steps then need not read.
 */
import { type Dim, input, type Value } from "../../onnx/graph.ts";
import * as ops from "../../onnx/ops.ts";
import type { WeightScope } from "../../weights/weight-set.ts";
import { linear } from "../layers.ts";
import type { Modulation, StreamModulation } from "./adaptive-norm.ts";
import { MAX_IMAGES } from "./image-batch.ts";
import type { FluxConfig } from "./flux-config.ts";
import { sinusoidalEmbedding } from "./time-embedding.ts";

/** Channels of the sinusoidal embedding. */
export const TIME_CHANNELS = 256;

/**
 * Builds the network. Inputs: `sigmas` [steps]; `guidance` [1] if the configuration has it; `pooledPromptEmbeds`
 * [1, pooledSize].
 * @returns `modulation` [steps, modulationSize]
 */
export function fluxModulation(config: FluxConfig, weights: WeightScope): Record<"modulation", Value> {
  const width = widthOf(config);
  const embedders = weights.child("time_text_embed");
  const embed = (name: string, x: Value): Value => {
    const scope = embedders.child(name);
    return linear(scope, "linear_2", ops.silu(linear(scope, "linear_1", x, width)), width);
  };
  const sigmas = input("sigmas", "float32", ["steps"]);
  let embedding = embed("timestep_embedder", sinusoidalEmbedding(sigmas, TIME_CHANNELS)); // [steps, C]
  if (config.hasGuidance) {
    const guidance = input("guidance", "float32", [1]);
    embedding = ops.add(embedding, embed("guidance_embedder", sinusoidalEmbedding(guidance, TIME_CHANNELS)));
  }
  const pooled = input("pooledPromptEmbeds", "float32", [1, config.pooledSize]);
  const temb = ops.silu(ops.add(embedding, embed("text_embedder", pooled)));
  const vectors = modulationLayers(config).map(({ key, numVectors }) =>
    linear(weights, key, temb, numVectors * width),
  );
  return { modulation: ops.concat(vectors, 1) };
}

export interface FluxModulation {
  /** By the block's index. */
  doubleBlocks: readonly { image: StreamModulation; text: StreamModulation }[];
  singleBlocks: readonly Modulation[];
  /** The norm before the output. */
  output: Omit<Modulation, "gate">;
}

/** Number of values per step: every vector of every block, and the last norm's. */
export const modulationSize = (config: FluxConfig): number => numVectorsOf(config) * widthOf(config);

/**
 * The transformer's input `modulation` [batch, 1, modulationSize], split by block and norm. For several images there is
 * also `modulationOfEach` [MAX_IMAGES, modulationSize], which has the same of each, and anything beyond them.
 * @param batch 1, or a name
 */
export function modulationInput(config: FluxConfig, batch: Dim): FluxModulation {
  const size = modulationSize(config);
  const count = numVectorsOf(config);
  const modulation = input("modulation", "float32", [batch, 1, size]);
  if (batch === 1) return byBlock(config, ops.split(ops.reshape(modulation, [size]), count, 0));
  const rows = ops.split(input("modulationOfEach", "float32", [MAX_IMAGES, size]), MAX_IMAGES, 0);
  const ofEach = rows.map((row) => ops.split(ops.reshape(row, [size]), count, 0));
  return byBlock(config, ops.split(modulation, count, 2), ofEach);
}

/** @param ofEach the same of each image, if there are several */
function byBlock(
  config: FluxConfig,
  vectors: readonly Value[],
  ofEach?: readonly (readonly Value[])[],
): FluxModulation {
  const offsets = new Map<string, number>();
  let offset = 0;
  for (const { key, numVectors } of modulationLayers(config)) {
    offsets.set(key, offset);
    offset += numVectors;
  }
  // In the order of `AdaLayerNormZero`'s chunks: shift, scale, gate, then the same for the feed-forward layer.
  const zero = (key: string, skipped = 0): Modulation => {
    const first = offsets.get(key)! + skipped;
    const [shift, scale, gate] = vectors.slice(first) as [Value, Value, Value];
    const each = ofEach?.map((own) => ({ shift: own[first]!, scale: own[first + 1]! }));
    return { shift, scale, gate, ofEach: each };
  };
  const stream = (key: string): StreamModulation => ({ attention: zero(key), mlp: zero(key, 3) });
  // `AdaLayerNormContinuous` has the scale first.
  const last = offsets.get(OUTPUT_KEY)!;
  const [scale, shift] = vectors.slice(last) as [Value, Value];
  const lastOfEach = ofEach?.map((own) => ({ scale: own[last]!, shift: own[last + 1]! }));
  return {
    doubleBlocks: indices(config.numDoubleBlocks).map((index) => ({
      image: stream(imageKey(index)),
      text: stream(textKey(index)),
    })),
    singleBlocks: indices(config.numSingleBlocks).map((index) => zero(singleKey(index))),
    output: { shift, scale, ofEach: lastOfEach },
  };
}

const imageKey = (block: number): string => `transformer_blocks.${block}.norm1.linear`;
const textKey = (block: number): string => `transformer_blocks.${block}.norm1_context.linear`;
const singleKey = (block: number): string => `single_transformer_blocks.${block}.norm.linear`;
const OUTPUT_KEY = "norm_out.linear";

const indices = (count: number): number[] => Array.from({ length: count }, (_, index) => index);

/** The linear layers that produce the vectors, in the order in which `modulation` holds them. */
function modulationLayers(config: FluxConfig): { key: string; numVectors: number }[] {
  return [
    ...indices(config.numDoubleBlocks).flatMap((block) => [
      { key: imageKey(block), numVectors: 6 },
      { key: textKey(block), numVectors: 6 },
    ]),
    ...indices(config.numSingleBlocks).map((block) => ({ key: singleKey(block), numVectors: 3 })),
    { key: OUTPUT_KEY, numVectors: 2 },
  ];
}

const widthOf = (config: FluxConfig): number => config.numHeads * config.headSize;
const numVectorsOf = (config: FluxConfig): number =>
  modulationLayers(config).reduce((sum, { numVectors }) => sum + numVectors, 0);
