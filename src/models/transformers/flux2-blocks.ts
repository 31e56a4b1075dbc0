/**
 * The blocks of the FLUX.2 transformer, key for key as in diffusers (0.42.1, `transformer_flux2.py`,
 * `Flux2TransformerBlock` and `Flux2SingleTransformerBlock`). What the tokens of a block attend to is the caller's
 * choice, so that the references' keys and values can be computed apart (`flux2-references.ts`).
 */
import { input, type Value } from "../../onnx/graph.ts";
import * as ops from "../../onnx/ops.ts";
import type { WeightScope } from "../../weights/weight-set.ts";
import { batched, headNorm, linear, unbatched } from "../layers.ts";
import { gated, modulate, type Modulation, type StreamModulation } from "./adaptive-norm.ts";
import { type Flux2Config, mlpWidthOf, widthOf } from "./flux2-config.ts";

/** What attention reads of each token. */
export interface Projections {
  /** Normalised, not yet rotated: float32 [1, L, H*D]. */
  query: Value;
  key: Value;
  /** In the compute type: [L, H*D]. */
  value: Value;
}

/** Attends over the projections of a block's tokens: [L, H*D]. */
export type Attend = (projections: Projections) => Value;

/** The same for both streams. */
export interface Streams<T> {
  text: T;
  image: T;
}

/** What a double-stream block calls the layers of each stream. */
const LAYERS = {
  image: {
    query: "to_q",
    key: "to_k",
    value: "to_v",
    queryNorm: "norm_q",
    keyNorm: "norm_k",
    output: "to_out.0",
    feedForward: "ff",
  },
  text: {
    query: "add_q_proj",
    key: "add_k_proj",
    value: "add_v_proj",
    queryNorm: "norm_added_q",
    keyNorm: "norm_added_k",
    output: "to_add_out",
    feedForward: "ff_context",
  },
} as const;

type Stream = keyof typeof LAYERS;

const NO_BIAS = { hasBias: false };

/** A block that keeps text and image apart except for attention, in which both attend to both: text first. */
export function doubleStreamBlock(
  config: Flux2Config,
  weights: WeightScope,
  { text, image }: Streams<Value>,
  vectors: Streams<StreamModulation>,
  attend: Attend,
): Streams<Value> {
  const ofText = streamProjections(config, weights, "text", text, vectors.text);
  const ofImage = streamProjections(config, weights, "image", image, vectors.image);
  const attended = attend({
    query: ops.concat([ofText.query, ofImage.query], 1, "tokens"),
    key: ops.concat([ofText.key, ofImage.key], 1, "tokens"),
    value: ops.concat([ofText.value, ofImage.value], 0, "tokens"),
  }); // [Lt + images, C]
  return {
    text: finishStream(config, weights, "text", text, ops.rowsLike(attended, text), vectors.text),
    image: finishStream(
      config,
      weights,
      "image",
      image,
      ops.rowsAfter(attended, text, image.shape[0]!),
      vectors.image,
    ),
  };
}

/** Query, key and value of a stream's tokens. */
export function streamProjections(
  config: Flux2Config,
  weights: WeightScope,
  stream: Stream,
  x: Value,
  { attention }: StreamModulation,
): Projections {
  const scope = weights.child("attn");
  const layers = LAYERS[stream];
  const normed = modulate(x, attention, config.epsilon);
  const project = (name: string): Value => linear(scope, name, normed, widthOf(config), NO_BIAS);
  return {
    query: normedHeads(config, scope, layers.queryNorm, project(layers.query)),
    key: normedHeads(config, scope, layers.keyNorm, project(layers.key)),
    value: project(layers.value),
  };
}

/** What follows attention in a stream: its output layer and the feed-forward layer. */
export function finishStream(
  config: Flux2Config,
  weights: WeightScope,
  stream: Stream,
  x: Value,
  attended: Value,
  { attention, mlp }: StreamModulation,
): Value {
  const { output, feedForward } = LAYERS[stream];
  const width = widthOf(config);
  const afterAttention = gated(
    x,
    attention.gate,
    linear(weights.child("attn"), output, attended, width, NO_BIAS),
  );
  const scope = weights.child(feedForward);
  const normed = modulate(afterAttention, mlp, config.epsilon);
  const [gate, up] = ops.split(linear(scope, "linear_in", normed, 2 * mlpWidthOf(config), NO_BIAS), 2, 1) as [
    Value,
    Value,
  ];
  return gated(
    afterAttention,
    mlp.gate,
    linear(scope, "linear_out", ops.mul(ops.silu(gate), up), width, NO_BIAS),
  );
}

/** A block that treats text and images as one sequence; attention and feed-forward layer run side by side. */
export function singleStreamBlock(
  config: Flux2Config,
  weights: WeightScope,
  hiddenStates: Value,
  modulation: Modulation,
  attend: Attend,
): Value {
  const { gate, up, ...projections } = singleProjections(config, weights, hiddenStates, modulation);
  const joined = ops.concat([attend(projections), ops.mul(ops.silu(gate), up)], 1); // [L, C + mlpWidth]
  return gated(
    hiddenStates,
    modulation.gate,
    linear(weights.child("attn"), "to_out", joined, widthOf(config), NO_BIAS),
  );
}

/** What the fused layer of a single-stream block gives: the projections, and both halves of the feed-forward layer. */
export function singleProjections(
  config: Flux2Config,
  weights: WeightScope,
  hiddenStates: Value,
  modulation: Modulation,
): Projections & { gate: Value; up: Value } {
  const scope = weights.child("attn");
  const normed = modulate(hiddenStates, modulation, config.epsilon);
  const [width, mlpWidth] = [widthOf(config), mlpWidthOf(config)];
  const sizes = [width, width, width, mlpWidth, mlpWidth];
  const fused = linear(scope, "to_qkv_mlp_proj", normed, 3 * width + 2 * mlpWidth, NO_BIAS);
  const [query, key, value, gate, up] = ops.splitSizes(fused, sizes, 1) as [
    Value,
    Value,
    Value,
    Value,
    Value,
  ];
  return {
    query: normedHeads(config, scope, "norm_q", query),
    key: normedHeads(config, scope, "norm_k", key),
    value,
    gate,
    up,
  };
}

const normedHeads = (config: Flux2Config, weights: WeightScope, name: string, x: Value): Value =>
  headNorm(weights, name, x, config.headSize, config.epsilon);

export interface RotaryInputs {
  cos: Value;
  sin: Value;
}

/** The inputs `rotaryCos` and `rotarySin`, [1, tokens, D/2] each. */
export const rotaryInputs = ({ headSize }: Flux2Config, tokens: string): RotaryInputs => ({
  cos: input("rotaryCos", "float32", [1, tokens, headSize / 2]),
  sin: input("rotarySin", "float32", [1, tokens, headSize / 2]),
});

/** Queries or keys, float32 [1, L, H*D], rotated by their positions. */
export const rotated = ({ numHeads }: Flux2Config, x: Value, { cos, sin }: RotaryInputs): Value =>
  ops.rotaryEmbedding(x, cos, sin, numHeads);

/** Attention of queries over keys, float32 [1, L, H*D] and rotated, and values [L, H*D] in the compute type. */
export function attendOver({ numHeads }: Flux2Config, { query, key, value }: Projections): Value {
  const typed = (x: Value): Value => ops.cast(x, ops.typeOf(value));
  return unbatched(ops.attention(typed(query), typed(key), batched(value), { numHeads })); // [L, H*D]
}

/** Every token attends to every token. */
export const attendToAll =
  (config: Flux2Config, rotary: RotaryInputs): Attend =>
  ({ query, key, value }) =>
    attendOver(config, {
      query: rotated(config, query, rotary),
      key: rotated(config, key, rotary),
      value,
    });
