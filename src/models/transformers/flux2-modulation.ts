/**
 * Computes the shift, scale and gate vectors of the adaptive norms of FLUX.2 from the noise level and guidance
 * (diffusers 0.42.1, `Flux2TimestepGuidanceEmbeddings` and `Flux2Modulation`). All double-stream blocks share their
 * vectors, and so do all single-stream blocks.
 *
 * They do not depend on the tokens, so they are a separate network that runs once per edit, for all steps together.
 */
import { input, type Value } from "../../onnx/graph.ts";
import * as ops from "../../onnx/ops.ts";
import type { WeightScope } from "../../weights/weight-set.ts";
import { linear } from "../layers.ts";
import type { Modulation, StreamModulation } from "./adaptive-norm.ts";
import { type Flux2Config, widthOf } from "./flux2-config.ts";
import { sinusoidalEmbedding } from "./time-embedding.ts";

/** The linear layers that produce the vectors, in the order in which `modulation` holds them. */
const LAYERS = [
  { key: "double_stream_modulation_img.linear", numVectors: 6 },
  { key: "double_stream_modulation_txt.linear", numVectors: 6 },
  { key: "single_stream_modulation.linear", numVectors: 3 },
  { key: "norm_out.linear", numVectors: 2 },
] as const;

const NUM_VECTORS = LAYERS.reduce((sum, { numVectors }) => sum + numVectors, 0);

export interface Flux2ModulationOptions {
  /**
   * Whether guidance is given. Without it, a network that has an embedding of guidance runs as if it had none, as the
   * pipelines of the step-distilled models run it.
   */
  isGuided: boolean;
}

/**
 * Builds the network. Inputs: `sigmas` [steps], noise levels from 0 to 1; `guidance` [1] if the configuration has it
 * and `isGuided`.
 * @returns `modulation` [steps, flux2ModulationSize]
 */
export function flux2Modulation(
  config: Flux2Config,
  weights: WeightScope,
  { isGuided }: Flux2ModulationOptions,
): Record<"modulation", Value> {
  const width = widthOf(config);
  const embedders = weights.child("time_guidance_embed");
  const embed = (name: string, x: Value): Value => {
    const scope = embedders.child(name);
    const hidden = linear(scope, "linear_1", sinusoidalEmbedding(x, config.timeChannels), width, NO_BIAS);
    return linear(scope, "linear_2", ops.silu(hidden), width, NO_BIAS);
  };
  let embedding = embed("timestep_embedder", input("sigmas", "float32", ["steps"])); // [steps, C]
  if (config.hasGuidance && isGuided) {
    embedding = ops.add(embedding, embed("guidance_embedder", input("guidance", "float32", [1])));
  } else if (config.hasGuidance) {
    for (const name of ["linear_1", "linear_2"]) embedders.ignore(`guidance_embedder.${name}.weight`);
  }
  const temb = ops.silu(embedding);
  const vectors = LAYERS.map(({ key, numVectors }) =>
    linear(weights, key, temb, numVectors * width, NO_BIAS),
  );
  return { modulation: ops.concat(vectors, 1) };
}

const NO_BIAS = { hasBias: false };

/** The vectors of one step. */
export interface Flux2Vectors {
  doubleBlocks: { image: StreamModulation; text: StreamModulation };
  singleBlocks: Modulation;
  /** The norm before the output. */
  output: Omit<Modulation, "gate">;
}

/** Number of values per step. */
export const flux2ModulationSize = (config: Flux2Config): number => NUM_VECTORS * widthOf(config);

/** The transformer's input `name` [flux2ModulationSize], cut into its vectors. */
export function flux2ModulationInput(config: Flux2Config, name = "modulation"): Flux2Vectors {
  const width = widthOf(config);
  const modulation = input(name, "float32", [flux2ModulationSize(config)]);
  // GPUs limit how many outputs a Split may have, so each layer's vectors are cut apart on their own.
  const parts = ops.splitSizes(
    modulation,
    LAYERS.map(({ numVectors }) => numVectors * width),
    0,
  );
  const [image, text, single, output] = LAYERS.map(({ numVectors }, index) =>
    ops.split(parts[index]!, numVectors, 0),
  ) as [Value[], Value[], Value[], Value[]];
  // `AdaLayerNormContinuous` has the scale first.
  const [scale, shift] = output as [Value, Value];
  return {
    doubleBlocks: { image: streamModulation(image), text: streamModulation(text) },
    singleBlocks: modulationOf(single),
    output: { shift, scale },
  };
}

/** In the order of `Flux2Modulation.split`: the vectors for attention, then those for the feed-forward layer. */
const streamModulation = (vectors: readonly Value[]): StreamModulation => ({
  attention: modulationOf(vectors),
  mlp: modulationOf(vectors.slice(3)),
});

function modulationOf(vectors: readonly Value[]): Modulation {
  const [shift, scale, gate] = vectors as [Value, Value, Value];
  return { shift, scale, gate };
}
