/**
 * The CLIP text encoder's pooled output, key for key as transformers' `CLIPTextModel`
 * (transformers 5.23.0, `models/clip/modeling_clip.py`).
 */
import { RetouchError } from "../../errors.ts";
import { input, type Value } from "../../onnx/graph.ts";
import * as ops from "../../onnx/ops.ts";
import type { Config } from "../../weights/config.ts";
import { MAX_HEADS, MAX_LAYERS, MAX_POSITIONS, MAX_VOCABULARY, MAX_WIDTH } from "../../weights/limits.ts";
import type { WeightScope } from "../../weights/weight-set.ts";
import { readActivation } from "../activation.ts";
import { attend, layerNorm, linear } from "../layers.ts";

export interface ClipConfig {
  width: number;
  mlpWidth: number;
  numLayers: number;
  numHeads: number;
  vocabularySize: number;
  maxPositions: number;
  epsilon: number;
  activation: (x: Value) => Value;
  endTokenId: number;
}

export function readClipConfig(config: Config): ClipConfig {
  const width = config.count("hidden_size", MAX_WIDTH);
  const numHeads = config.count("num_attention_heads", MAX_HEADS);
  if (width % numHeads !== 0) {
    throw new RetouchError(
      "CHECKPOINT_INVALID",
      `In ${config.file}, num_attention_heads (${numHeads}) must divide hidden_size (${width}).`,
    );
  }
  return {
    width,
    mlpWidth: config.count("intermediate_size", MAX_WIDTH),
    numLayers: config.count("num_hidden_layers", MAX_LAYERS),
    numHeads,
    vocabularySize: config.count("vocab_size", MAX_VOCABULARY),
    maxPositions: config.count("max_position_embeddings", MAX_POSITIONS, 77),
    epsilon: config.number("layer_norm_eps", 1e-5),
    activation: readActivation(config, "hidden_act", "quick_gelu"),
    endTokenId: config.wholeNumber("eos_token_id", MAX_VOCABULARY, 2),
  };
}

/**
 * Builds the network for texts of `length` tokens. Inputs: `tokenIds` [L] and `endPosition` [1].
 * @returns `pooledPromptEmbeds` [1, C], the state at the end token
 */
export function clipTextEncoder(
  config: ClipConfig,
  weights: WeightScope,
  { length }: { length: number },
): Record<"pooledPromptEmbeds", Value> {
  const { width, epsilon, numHeads } = config;
  // transformers 5 saves this network without the prefix that the published files have.
  const text = weights.hasChild("text_model") ? weights.child("text_model") : weights;
  const embeddings = text.child("embeddings");
  const tokens = embeddings.child("token_embedding").tensor("weight", [config.vocabularySize, width]);
  const positions = embeddings.child("position_embedding").tensor("weight", [config.maxPositions, width]);
  let hiddenStates = ops.add(
    ops.gather(tokens, input("tokenIds", "int64", [length])),
    ops.rows(positions, 0, length, length),
  ); // [L, C]

  const bias = ops.causalBias(length);
  for (let index = 0; index < config.numLayers; index += 1) {
    const layer = text.child("encoder.layers", index);
    const attention = layer.child("self_attn");
    const normed = layerNorm(layer, "layer_norm1", hiddenStates, epsilon);
    const [query, key, value] = ["q_proj", "k_proj", "v_proj"].map((name) =>
      linear(attention, name, normed, width),
    );
    const attended = attend(query!, key!, value!, { numHeads, bias });
    hiddenStates = ops.add(hiddenStates, linear(attention, "out_proj", attended, width));

    const mlpInput = layerNorm(layer, "layer_norm2", hiddenStates, epsilon);
    const up = config.activation(linear(layer, "mlp.fc1", mlpInput, config.mlpWidth));
    hiddenStates = ops.add(hiddenStates, linear(layer, "mlp.fc2", up, width));
  }

  const last = ops.gather(hiddenStates, input("endPosition", "int64", [1])); // [1, C]
  return { pooledPromptEmbeds: layerNorm(text, "final_layer_norm", last, epsilon) };
}

/**
 * The position of the pooled output. Old configurations carry a placeholder end token of 2; for those it is that
 * of the highest id, which is the end token in CLIP's vocabulary. Otherwise it is that of the first end token.
 */
export function clipEndPosition(tokenIds: readonly number[], endTokenId: number): number {
  const wanted = endTokenId === 2 ? Math.max(...tokenIds) : endTokenId;
  return Math.max(0, tokenIds.indexOf(wanted));
}
