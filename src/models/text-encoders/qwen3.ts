/**
 * A Qwen3 language model read as an encoder, key for key as transformers' `Qwen3ForCausalLM`
 * (transformers 5.23.0, `models/qwen3/modeling_qwen3.py`): the states after some of its layers, side by side. What
 * follows the last of these layers is never built.
 */
import { type Dim, input, type Value } from "../../onnx/graph.ts";
import * as ops from "../../onnx/ops.ts";
import type { WeightScope } from "../../weights/weight-set.ts";
import { batched, headNorm, linear, plainLinear, rmsNorm, unbatched } from "../layers.ts";
import type { Qwen3Config } from "./qwen3-config.ts";

/** The name of the number of tokens that are no padding, which are all that is attended to. */
const KEYS = "keys";
/** What the scores of later tokens are lowered by. */
const MASKED = -3e38;

export interface Qwen3Options {
  /** Tokens of the text with its padding, or a name for their number if that differs from run to run. */
  length: Dim;
  /** The hidden states to return: 0 is the token table's, k what layer k gives, the last of all after the final norm. */
  layers: readonly number[];
}

/**
 * Builds the network. Inputs, all as `qwen3Inputs` gives them: `tokenIds` [L], padded on the right; `attentionBias`
 * [1, 1, L, keys]; `rotaryCos`, `rotarySin` [1, L, D/2].
 * @returns `promptEmbeds` [L, layers * C]
 */
export function qwen3Encoder(
  config: Qwen3Config,
  weights: WeightScope,
  { length, layers }: Qwen3Options,
): Record<"promptEmbeds", Value> {
  const own = weights.hasChild("model") ? weights.child("model") : weights;
  const table = own.child("embed_tokens");
  const bias = input("attentionBias", "float32", [1, 1, length, KEYS]);
  const numKeys = ops.sizeAlong(bias, 3);
  const rotary = {
    cos: input("rotaryCos", "float32", [1, length, config.headSize / 2]),
    sin: input("rotarySin", "float32", [1, length, config.headSize / 2]),
  };
  const attention: Attention = {
    bias,
    rotary,
    numKeys,
    keyRotary: {
      cos: ops.firstAlong(rotary.cos, 1, numKeys, KEYS),
      sin: ops.firstAlong(rotary.sin, 1, numKeys, KEYS),
    },
  };

  const tokenIds = input("tokenIds", "int64", [length]);
  const states = [table.rows("weight", [config.vocabularySize, config.width], tokenIds)]; // [L, C]
  const numBuilt = Math.max(...layers);
  for (let index = 0; index < numBuilt; index += 1) {
    states.push(decoderLayer(config, own.child("layers", index), states[index]!, attention));
  }
  if (numBuilt === config.numLayers)
    states[numBuilt] = rmsNorm(own, "norm", states[numBuilt]!, config.epsilon);
  ignoreUnread(weights, own, config, numBuilt);
  const read = layers.map((index) => states[index]!);
  return { promptEmbeds: read.length === 1 ? read[0]! : ops.concat(read, 1) };
}

interface RotaryTable {
  cos: Value;
  sin: Value;
}

/** What is the same for the attention of all layers. */
interface Attention {
  bias: Value;
  rotary: RotaryTable;
  /** The number of keys, [1]. */
  numKeys: Value;
  keyRotary: RotaryTable;
}

/** x [L, C], then what a layer makes of it. */
function decoderLayer(config: Qwen3Config, weights: WeightScope, x: Value, attention: Attention): Value {
  const { mlpWidth, width, epsilon, activation } = config;
  const normed = rmsNorm(weights, "input_layernorm", x, epsilon);
  const attended = ops.add(x, selfAttention(config, weights.child("self_attn"), normed, attention));

  const mlp = weights.child("mlp");
  const mlpInput = rmsNorm(weights, "post_attention_layernorm", attended, epsilon);
  const gate = activation(plainLinear(mlp, "gate_proj", mlpInput, mlpWidth));
  const up = ops.mul(gate, plainLinear(mlp, "up_proj", mlpInput, mlpWidth));
  return ops.add(attended, plainLinear(mlp, "down_proj", up, width));
}

/**
 * Every token attends to itself and to those before it, but never to padding. Since that is at the end, the first tokens
 * are all that keys and values are needed of, [keys, K*D].
 */
function selfAttention(
  config: Qwen3Config,
  weights: WeightScope,
  x: Value,
  { bias, rotary, numKeys, keyRotary }: Attention,
): Value {
  const { numHeads, numKeyHeads, headSize, width, epsilon, hasBias } = config;
  const project = (name: string, from: Value, size: number): Value =>
    linear(weights, name, from, size, { hasBias });
  const turn = (from: Value, norm: string, { cos, sin }: RotaryTable, heads: number): Value =>
    ops.rotaryEmbedding(headNorm(weights, norm, from, headSize, epsilon), cos, sin, heads, {
      isInterleaved: false,
    });
  const repeat = (from: Value): Value => repeatHeads(from, config);

  const known = ops.firstAlong(x, 0, numKeys, KEYS);
  const query = turn(project("q_proj", x, numHeads * headSize), "q_norm", rotary, numHeads); // [1, L, H*D]
  const key = turn(project("k_proj", known, numKeyHeads * headSize), "k_norm", keyRotary, numKeyHeads);
  const value = batched(project("v_proj", known, numKeyHeads * headSize)); // [1, keys, K*D]
  const attended = ops.biasedAttention(query, repeat(key), repeat(value), { numHeads, bias });
  return project("o_proj", unbatched(attended), width);
}

/** Each head of [1, keys, K*D] as often as queries share it, [1, keys, H*D]. */
function repeatHeads(x: Value, { numHeads, numKeyHeads, headSize }: Qwen3Config): Value {
  if (numHeads === numKeyHeads) return x;
  const heads = ops.reshape(x, [KEYS, numKeyHeads, 1, headSize]);
  const repeated = ops.expand(heads, [KEYS, numKeyHeads, numHeads / numKeyHeads, headSize]);
  return ops.reshape(repeated, [1, KEYS, numHeads * headSize]);
}

/** The layers after the last that is read, and what turns their output into words. */
function ignoreUnread(weights: WeightScope, own: WeightScope, config: Qwen3Config, numBuilt: number): void {
  weights.ignore("lm_head.weight");
  own.ignore("norm.weight");
  for (let index = numBuilt; index < config.numLayers; index += 1) {
    for (const key of LAYER_KEYS) own.ignore(`layers.${index}.${key}`);
  }
}

const PROJECTIONS = ["q_proj", "k_proj", "v_proj", "o_proj"];
const LAYER_KEYS = [
  ...PROJECTIONS.flatMap((name) => [`self_attn.${name}.weight`, `self_attn.${name}.bias`]),
  ...["self_attn.q_norm", "self_attn.k_norm", "input_layernorm", "post_attention_layernorm"].map(
    (name) => `${name}.weight`,
  ),
  ...["gate_proj", "up_proj", "down_proj"].map((name) => `mlp.${name}.weight`),
];

/** Numbers and their shape, as the runtime takes them. */
interface InputTensor {
  data: Float32Array | BigInt64Array;
  shape: readonly number[];
}

/**
 * The network's inputs for a text.
 * @param ids its tokens, padded on the right
 * @param numTokens how many of them are no padding, 1 or more
 */
export function qwen3Inputs(
  { headSize, rotaryTheta }: Pick<Qwen3Config, "headSize" | "rotaryTheta">,
  ids: readonly number[],
  numTokens: number,
): Record<"tokenIds" | "attentionBias" | "rotaryCos" | "rotarySin", InputTensor> {
  const length = ids.length;
  const attentionBias = new Float32Array(length * numTokens);
  for (let row = 0; row < numTokens; row += 1) {
    attentionBias.fill(MASKED, row * numTokens + row + 1, (row + 1) * numTokens);
  }
  const angles = rotaryAngles(length, headSize, rotaryTheta);
  const table = (data: Float32Array): InputTensor => ({ data, shape: [1, length, headSize / 2] });
  return {
    tokenIds: { data: BigInt64Array.from(ids, (id) => BigInt(id)), shape: [length] },
    attentionBias: { data: attentionBias, shape: [1, 1, length, numTokens] },
    rotaryCos: table(angles.map(Math.cos)),
    rotarySin: table(angles.map(Math.sin)),
  };
}

/** Position times frequency, [L, D/2]; rounded to float32 wherever the reference does. */
function rotaryAngles(length: number, headSize: number, theta: number): Float32Array {
  const half = headSize / 2;
  const frequencies = Float32Array.from({ length: half }, (_, pair) => {
    const power = Math.fround(theta ** Math.fround((2 * pair) / headSize));
    return 1 / power;
  });
  return Float32Array.from(
    { length: length * half },
    (_, index) => Math.floor(index / half) * frequencies[index % half]!,
  );
}
