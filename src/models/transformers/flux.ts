/**
 * The rectified-flow transformer, key for key as diffusers' `FluxTransformer2DModel`
 * (diffusers 0.42.1, `models/transformers/transformer_flux.py`).
 * Double-stream blocks keep text and image apart except for attention; single-stream blocks treat them as one
 * sequence: text, target, reference.
 */
import type { ComputeType } from "../../onnx/dtype.ts";
import { type Dim, input, type Value } from "../../onnx/graph.ts";
import * as ops from "../../onnx/ops.ts";
import type { WeightScope } from "../../weights/weight-set.ts";
import { gated, modulate, type Modulation, type StreamModulation } from "./adaptive-norm.ts";
import type { FluxConfig } from "./flux-config.ts";
import { modulationInput } from "./flux-modulation.ts";
import { batched, headNorm, linear, unbatched } from "../layers.ts";

/** Epsilon of every norm, fixed in the reference implementation. */
const EPSILON = 1e-6;
/** Width of a feed-forward layer, relative to that of a token. */
export const MLP_RATIO = 4;

export interface FluxOptions {
  /** Tokens of the text, or a name for their number if that differs from run to run. */
  textLength: Dim;
  /**
   * The type the blocks compute in. Embedders, output layer, modulation, the norms of queries and keys, and rotary
   * positions stay in float32: they are a tiny share of the operations.
   * @default "float32"
   */
  computeType?: ComputeType | undefined;
}

/**
 * Builds the network. Inputs: `latents` [target, C] and `referenceLatents` [reference, C] packed tokens;
 * `promptEmbeds` [Lt, promptSize]; `modulation` [modulationSize], one step's row of what `fluxModulation` gives;
 * `rotaryCos`, `rotarySin` [1, Lt + target + reference, D/2]. All are float32, in any compute type.
 * @returns `velocity` [target, C], float32
 */
export function fluxTransformer(
  config: FluxConfig,
  weights: WeightScope,
  { textLength, computeType = "float32" }: FluxOptions,
): Record<"velocity", Value> {
  const width = config.numHeads * config.headSize;
  const latents = input("latents", "float32", ["target", config.inChannels]);
  const referenceLatents = input("referenceLatents", "float32", ["reference", config.inChannels]);
  const promptEmbeds = input("promptEmbeds", "float32", [textLength, config.promptSize]);
  const modulation = modulationInput(config);
  const rotary: RotaryTable = {
    cos: input("rotaryCos", "float32", [1, "tokens", config.headSize / 2]),
    sin: input("rotarySin", "float32", [1, "tokens", config.headSize / 2]),
  };

  const images = ops.concat([latents, referenceLatents], 0, "images");
  const embed = (name: string, x: Value): Value => ops.cast(linear(weights, name, x, width), computeType);
  let image = embed("x_embedder", images); // [images, C]
  let text = embed("context_embedder", promptEmbeds); // [Lt, C]

  for (const [index, vectors] of modulation.doubleBlocks.entries()) {
    const block = weights.child("transformer_blocks", index);
    [text, image] = doubleStreamBlock(config, block, { text, image }, vectors, rotary);
  }

  let joined = ops.concat([text, image], 0, "tokens"); // [Lt + images, C]
  // Only the target's tokens are predicted, so the last block reads the others as keys and values alone.
  const ofTarget = (x: Value): Value => ops.rowsLike(ops.rowsAfter(x, text, "images"), latents);
  const lastIndex = config.numSingleBlocks - 1;
  for (const [index, vectors] of modulation.singleBlocks.entries()) {
    const block = weights.child("single_transformer_blocks", index);
    joined = singleStreamBlock(config, block, joined, vectors, rotary, index === lastIndex ? ofTarget : all);
  }
  const target = ops.toFloat32(lastIndex < 0 ? ofTarget(joined) : joined); // [target, C]
  return {
    velocity: linear(weights, "proj_out", modulate(target, modulation.output, EPSILON), config.outChannels),
  };
}

interface RotaryTable {
  cos: Value;
  sin: Value;
}

/** The same value for both streams. */
interface Streams<T> {
  text: T;
  image: T;
}

function doubleStreamBlock(
  config: FluxConfig,
  weights: WeightScope,
  { text, image }: Streams<Value>,
  vectors: Streams<StreamModulation>,
  rotary: RotaryTable,
): [text: Value, image: Value] {
  const attention = weights.child("attn");
  const width = config.numHeads * config.headSize;

  // Both streams attend to both: text first.
  const normedText = modulate(text, vectors.text.attention, EPSILON);
  const normedImage = modulate(image, vectors.image.attention, EPSILON);
  const join = (ofText: Value, ofImage: Value, axis: number): Value =>
    ops.concat([ofText, ofImage], axis, "tokens");
  const query = join(
    normedProjection(config, attention, "add_q_proj", "norm_added_q", normedText),
    normedProjection(config, attention, "to_q", "norm_q", normedImage),
    1,
  ); // [1, Lt + images, C]
  const key = join(
    normedProjection(config, attention, "add_k_proj", "norm_added_k", normedText),
    normedProjection(config, attention, "to_k", "norm_k", normedImage),
    1,
  );
  const value = join(
    linear(attention, "add_v_proj", normedText, width),
    linear(attention, "to_v", normedImage, width),
    0,
  ); // [Lt + images, C]
  const attended = rotaryAttention(config, query, key, value, rotary); // [Lt + images, C]
  const attendedText = ops.rowsLike(attended, text);
  const attendedImage = ops.rowsAfter(attended, text, "images");

  const finish = (
    stream: Value,
    attendedStream: Value,
    projection: string,
    { attention: { gate }, mlp }: StreamModulation,
    feedForward: string,
  ): Value => {
    const afterAttention = gated(stream, gate, linear(attention, projection, attendedStream, width));
    const normedStream = modulate(afterAttention, mlp, EPSILON);
    const up = linear(weights, `${feedForward}.net.0.proj`, normedStream, MLP_RATIO * width);
    const down = linear(weights, `${feedForward}.net.2`, ops.gelu(up, { approximate: true }), width);
    return gated(afterAttention, mlp.gate, down);
  };
  return [
    finish(text, attendedText, "to_add_out", vectors.text, "ff_context"),
    finish(image, attendedImage, "to_out.0", vectors.image, "ff"),
  ];
}

/** Some rows of a matrix whose rows are those of all tokens. */
type RowsOf = (x: Value) => Value;
const all: RowsOf = (x) => x;

/** @param wanted the tokens that are read after this block: the others are keys and values only */
function singleStreamBlock(
  config: FluxConfig,
  weights: WeightScope,
  hiddenStates: Value,
  modulation: Modulation,
  rotary: RotaryTable,
  wanted: RowsOf,
): Value {
  const attention = weights.child("attn");
  const width = config.numHeads * config.headSize;
  const normed = modulate(hiddenStates, modulation, EPSILON);
  const read = wanted(normed);

  // Attention and the feed-forward layer read the same input and share one output projection.
  const query = normedProjection(config, attention, "to_q", "norm_q", read);
  const key = normedProjection(config, attention, "to_k", "norm_k", normed);
  const value = linear(attention, "to_v", normed, width);
  const ofTable = (table: Value): Value => (wanted === all ? table : batched(wanted(unbatched(table))));
  const rotaryOfQuery = { cos: ofTable(rotary.cos), sin: ofTable(rotary.sin) };
  const attended = rotaryAttention(config, query, key, value, rotary, rotaryOfQuery);
  const mlp = ops.gelu(linear(weights, "proj_mlp", read, MLP_RATIO * width), { approximate: true });
  return gated(
    wanted(hiddenStates),
    modulation.gate,
    linear(weights, "proj_out", ops.concat([attended, mlp], 1), width),
  );
}

/** Query or key, float32 [1, L, H*D]: a linear layer, then each head normalised. */
function normedProjection(
  { numHeads, headSize }: FluxConfig,
  weights: WeightScope,
  name: string,
  normName: string,
  x: Value,
): Value {
  return headNorm(weights, normName, linear(weights, name, x, numHeads * headSize), headSize, EPSILON);
}

/**
 * Rotates query [1, Lq, H*D] and key [1, L, H*D], float32, by their positions, then attends over every token; value
 * [L, H*D] is in the compute type: [Lq, H*D].
 */
function rotaryAttention(
  { numHeads }: FluxConfig,
  query: Value,
  key: Value,
  value: Value,
  ofKey: RotaryTable,
  ofQuery: RotaryTable = ofKey,
): Value {
  const turn = (x: Value, { cos, sin }: RotaryTable): Value =>
    ops.cast(ops.rotaryEmbedding(x, cos, sin, numHeads), ops.typeOf(value));
  return unbatched(ops.attention(turn(query, ofQuery), turn(key, ofKey), batched(value), { numHeads }));
}
