/**
 * The rectified-flow transformer of FLUX.2, key for key as diffusers' `Flux2Transformer2DModel`
 * (diffusers 0.42.1, `models/transformers/transformer_flux2.py`).
 * Double-stream blocks keep text and images apart except for attention; single-stream blocks treat them as one
 * sequence: text, target, references.
 */
import type { ComputeType } from "../../onnx/dtype.ts";
import { type Dim, input, type Value } from "../../onnx/graph.ts";
import * as ops from "../../onnx/ops.ts";
import type { WeightScope } from "../../weights/weight-set.ts";
import { linear } from "../layers.ts";
import { modulate } from "./adaptive-norm.ts";
import {
  type Attend,
  attendToAll,
  doubleStreamBlock,
  rotaryInputs,
  singleStreamBlock,
} from "./flux2-blocks.ts";
import { type Flux2Config, widthOf } from "./flux2-config.ts";
import { type Flux2Vectors, flux2ModulationInput } from "./flux2-modulation.ts";

export interface Flux2Options {
  /** Tokens of the text, or a name for their number if that differs from run to run. */
  textLength: Dim;
  /**
   * The type the blocks compute in. Embedders, output layer, modulation, the norms of queries and keys, and rotary
   * positions stay in float32: they are a tiny share of the operations.
   * @default "float32"
   */
  computeType?: ComputeType | undefined;
  /**
   * Whether text and references come embedded, as {@link flux2Embedders} gives them: they are the same in every step of an
   * edit.
   * @default false
   */
  areEmbedded?: boolean | undefined;
}

/**
 * Builds the network. Inputs: `latents` [target, C] and `referenceLatents` [reference, C] packed tokens, of which the
 * latter may be none; `promptEmbeds` [Lt, promptSize], or, embedded, `referenceStates` and `textStates` with the blocks'
 * width in place of both; `modulation` [flux2ModulationSize], one step's row of what
 * `flux2Modulation` gives; `rotaryCos`, `rotarySin` [1, Lt + target + reference, D/2]. All are float32, in any compute
 * type.
 * @returns `velocity` [target, C], float32
 */
export function flux2Transformer(
  config: Flux2Config,
  weights: WeightScope,
  options: Flux2Options,
): Record<"velocity", Value> {
  const latents = input("latents", "float32", ["target", config.inChannels]);
  const attend = attendToAll(config, rotaryInputs(config, "tokens"));
  const images = options.areEmbedded
    ? ops.concat(
        [
          embedTokens(config, weights, "x_embedder", latents),
          input("referenceStates", "float32", ["reference", widthOf(config)]),
        ],
        0,
        "images",
      )
    : embedTokens(
        config,
        weights,
        "x_embedder",
        ops.concat(
          [latents, input("referenceLatents", "float32", ["reference", config.inChannels])],
          0,
          "images",
        ),
      );
  return flux2Velocity(config, weights, options, { latents, images, attend: () => attend });
}

/**
 * Embeds what is the same in every step of an edit. Inputs: `promptEmbeds` [Lt, promptSize]; `referenceLatents`
 * [reference, C] packed tokens, unless their keys and values are kept.
 * @returns `textStates` [Lt, width] and `referenceStates` [reference, width], float32
 */
export function flux2Embedders(
  config: Flux2Config,
  weights: WeightScope,
  { textLength, hasReferences = true }: Pick<Flux2Options, "textLength"> & { hasReferences?: boolean },
): Record<string, Value> {
  const embed = (name: string, tokens: Value): Value => embedTokens(config, weights, name, tokens);
  const textStates = embed(
    "context_embedder",
    input("promptEmbeds", "float32", [textLength, config.promptSize]),
  );
  if (!hasReferences) return { textStates };
  const references = input("referenceLatents", "float32", ["reference", config.inChannels]);
  return { textStates, referenceStates: embed("x_embedder", references) };
}

/** What differs between the forms of the network. */
export interface Flux2Tokens {
  /** The target's tokens, [target, C]. */
  latents: Value;
  /** The images that pass through the blocks, embedded, the target's first: float32 [images, C]. */
  images: Value;
  /** How a block attends, by its index: double-stream blocks first. */
  attend: (block: number) => Attend;
}

/** The velocity of the target's tokens. */
export function flux2Velocity(
  config: Flux2Config,
  weights: WeightScope,
  { textLength, computeType = "float32", areEmbedded = false }: Flux2Options,
  { latents, images, attend }: Flux2Tokens,
): Record<"velocity", Value> {
  const vectors = flux2ModulationInput(config);
  const textStates = areEmbedded
    ? input("textStates", "float32", [textLength, widthOf(config)])
    : embedTokens(
        config,
        weights,
        "context_embedder",
        input("promptEmbeds", "float32", [textLength, config.promptSize]),
      );
  let image = ops.cast(images, computeType); // [images, C]
  let text = ops.cast(textStates, computeType); // [Lt, C]

  for (let index = 0; index < config.numDoubleBlocks; index += 1) {
    const block = weights.child("transformer_blocks", index);
    ({ text, image } = doubleStreamBlock(
      config,
      block,
      { text, image },
      vectors.doubleBlocks,
      attend(index),
    ));
  }

  let joined = ops.concat([text, image], 0, "tokens"); // [Lt + images, C]
  for (let index = 0; index < config.numSingleBlocks; index += 1) {
    const block = weights.child("single_transformer_blocks", index);
    const attendInBlock = attend(config.numDoubleBlocks + index);
    joined = singleStreamBlock(config, block, joined, vectors.singleBlocks, attendInBlock);
  }

  // References have served their purpose as keys and values; only the target's tokens are predicted.
  const predicted = ops.rowsLike(ops.rowsAfter(joined, text, images.shape[0]!), latents); // [target, C]
  return { velocity: outputLayer(config, weights, predicted, vectors) };
}

/** Tokens of the latents or of the text, [L, size], embedded by a linear layer: float32 [L, C]. */
export const embedTokens = (config: Flux2Config, weights: WeightScope, name: string, x: Value): Value =>
  linear(weights, name, x, widthOf(config), { hasBias: false });

function outputLayer(config: Flux2Config, weights: WeightScope, x: Value, { output }: Flux2Vectors): Value {
  const normed = modulate(ops.toFloat32(x), output, config.epsilon);
  return linear(weights, "proj_out", normed, config.outChannels, { hasBias: false });
}
