/**
 * The CLIP text encoder's pooled output, key for key as transformers' `CLIPTextModel`
 * (transformers 5.23.0, `models/clip/modeling_clip.py`).
 */
import { RetouchError } from "../../errors.ts";
import { input, type Value } from "../../onnx/graph.ts";
import * as ops from "../../onnx/ops.ts";
import { Config, isWhole } from "../../weights/config.ts";
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

/** The section of a configuration of both of CLIP's encoders that concerns the text. */
const TEXT_SECTION = "text_config";
/** A token that no text contains: its "first" position is that of the start. */
const MAX_TOKEN_ID = 2 ** 31;

/**
 * Absent fields have the defaults of transformers' `CLIPTextConfig`.
 * @throws RetouchError CHECKPOINT_INVALID or CHECKPOINT_UNSUPPORTED, naming file and field
 */
export function readClipConfig(config: Config): ClipConfig {
  const fields = textSection(config).withNulls();
  const width = fields.count("hidden_size", MAX_WIDTH, 512);
  const numHeads = fields.count("num_attention_heads", MAX_HEADS, 8);
  if (width % numHeads !== 0) {
    throw new RetouchError(
      "CHECKPOINT_INVALID",
      `In ${config.file}, num_attention_heads (${numHeads}) must divide hidden_size (${width}).`,
    );
  }
  return {
    width,
    mlpWidth: fields.count("intermediate_size", MAX_WIDTH, 2048),
    numLayers: fields.wholeNumber("num_hidden_layers", MAX_LAYERS, 12),
    numHeads,
    vocabularySize: fields.count("vocab_size", MAX_VOCABULARY, 49_408),
    maxPositions: fields.count("max_position_embeddings", MAX_POSITIONS, 77),
    epsilon: fields.number("layer_norm_eps", 1e-5),
    activation: readActivation(fields, "hidden_act", "quick_gelu"),
    endTokenId: readEndToken(fields),
  };
}

function textSection(config: Config): Config {
  const section = config.get(TEXT_SECTION);
  if (section === undefined) return config;
  if (typeof section !== "object" || section === null || Array.isArray(section)) {
    throw config.invalid(TEXT_SECTION, "an object");
  }
  return new Config(config.file, section as Record<string, unknown>);
}

function readEndToken(config: Config): number {
  const name = "eos_token_id";
  const value = config.get(name) === undefined ? 49_407 : config.get(name);
  if (isWhole({ min: -MAX_TOKEN_ID, max: MAX_TOKEN_ID })(value)) return value;
  throw config.invalid(name, "one token's whole number");
}

/**
 * The published files have "text_model" before every key, a part of transformers' whole CLIP has "clip", and transformers
 * 5 itself writes neither. Where a file has some twice, this is the order in which the reference prefers them.
 */
function withoutPrefix(weights: WeightScope): WeightScope {
  if (weights.hasChild("clip")) return weights.child("clip");
  const isBare = weights.hasChild("final_layer_norm") || !weights.hasChild("text_model");
  return isBare ? weights : weights.child("text_model");
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
  const text = withoutPrefix(weights);
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
