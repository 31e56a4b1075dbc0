/**
 * FLUX.2 with the references' keys and values kept, as diffusers' `Flux2KleinKVPipeline` runs checkpoints that are
 * trained for it (diffusers 0.42.1, `_flux2_kv_causal_attention`). There the references attend to themselves alone and
 * are modulated as at the noise level 0, so they depend on neither text, target nor step. The reference computes them
 * within its first step; here they are a network of their own, which runs once, and every step reads what it gave.
 *
 * The reference orders the tokens as text, references, target. Attention does not depend on the order of keys, and no
 * table of positions does here: it stays text, target, references.
 */
import { input, type Value } from "../../onnx/graph.ts";
import * as ops from "../../onnx/ops.ts";
import type { WeightScope } from "../../weights/weight-set.ts";
import {
  type Attend,
  attendOver,
  attendToAll,
  finishStream,
  rotaryInputs,
  rotated,
  singleStreamBlock,
  streamProjections,
} from "./flux2-blocks.ts";
import { embedTokens, type Flux2Options, flux2Velocity } from "./flux2.ts";
import { type Flux2Config, widthOf } from "./flux2-config.ts";
import { flux2ModulationInput } from "./flux2-modulation.ts";

/** The noise level whose modulation references have (`ref_fixed_timestep`). */
export const REFERENCE_SIGMA = 0;

/**
 * What the references' keys and values are called, as outputs of `flux2References` and inputs of
 * `flux2CachedTransformer`: two names for each block, double-stream blocks first. Each is float32 [reference, H*D] in
 * any compute type; keys are rotated.
 */
export const referenceNames = ({
  numDoubleBlocks,
  numSingleBlocks,
}: Flux2Config): { key: string; value: string }[] =>
  Array.from({ length: numDoubleBlocks + numSingleBlocks }, (_, block) => ({
    key: `referenceKeys.${block}`,
    value: `referenceValues.${block}`,
  }));

/**
 * Builds the network that computes the references' keys and values. Inputs: `referenceLatents` [reference, C];
 * `modulation` [flux2ModulationSize], the row of `REFERENCE_SIGMA`; `rotaryCos`, `rotarySin` [1, reference, D/2], the
 * references' rows of the table.
 * @returns the outputs that `referenceNames` lists
 */
export function flux2References(
  config: Flux2Config,
  weights: WeightScope,
  { computeType = "float32" }: Pick<Flux2Options, "computeType"> = {},
): Record<string, Value> {
  const latents = input("referenceLatents", "float32", ["reference", config.inChannels]);
  const { doubleBlocks, singleBlocks } = flux2ModulationInput(config);
  const rotary = rotaryInputs(config, "reference");
  const attend = attendToAll(config, rotary);
  const outputs: Record<string, Value> = {};
  const names = referenceNames(config);
  const keep = (block: number, { key, value }: { key: Value; value: Value }): void => {
    outputs[names[block]!.key] = ops.reshape(rotated(config, key, rotary), value.shape);
    outputs[names[block]!.value] = ops.toFloat32(value);
  };

  let tokens = ops.cast(embedTokens(config, weights, "x_embedder", latents), computeType); // [reference, C]
  for (let index = 0; index < config.numDoubleBlocks; index += 1) {
    const block = weights.child("transformer_blocks", index);
    const projections = streamProjections(config, block, "image", tokens, doubleBlocks.image);
    keep(index, projections);
    tokens = finishStream(config, block, "image", tokens, attend(projections), doubleBlocks.image);
  }
  for (let index = 0; index < config.numSingleBlocks; index += 1) {
    const block = weights.child("single_transformer_blocks", index);
    const keepAndAttend: Attend = (projections) => {
      keep(config.numDoubleBlocks + index, projections);
      return attend(projections);
    };
    tokens = singleStreamBlock(config, block, tokens, singleBlocks, keepAndAttend);
  }
  return outputs;
}

/**
 * Builds the network of a step. Inputs as of `flux2Transformer`, but `referenceLatents` gives way to the references'
 * keys and values under their `referenceNames`, of which there may be none, [0, H*D]; the rotary table has rows of text
 * and target, [1, Lt + target, D/2].
 * @returns `velocity` [target, C], float32
 */
export function flux2CachedTransformer(
  config: Flux2Config,
  weights: WeightScope,
  options: Flux2Options,
): Record<"velocity", Value> {
  const latents = input("latents", "float32", ["target", config.inChannels]);
  const rotary = rotaryInputs(config, "tokens");
  const names = referenceNames(config);
  const width = widthOf(config);
  const attend = (block: number): Attend => {
    const kept = (name: string): Value => input(name, "float32", ["reference", width]);
    const [referenceKeys, referenceValues] = [kept(names[block]!.key), kept(names[block]!.value)];
    return ({ query, key, value }) =>
      attendOver(config, {
        query: rotated(config, query, rotary),
        key: ops.concat(
          [rotated(config, key, rotary), ops.reshape(referenceKeys, [1, ...referenceKeys.shape])],
          1,
          "attended",
        ),
        value: ops.concat([value, ops.cast(referenceValues, ops.typeOf(value))], 0, "attended"),
      });
  };
  const images = embedTokens(config, weights, "x_embedder", latents);
  return flux2Velocity(config, weights, options, { latents, images, attend });
}
