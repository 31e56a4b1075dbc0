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
import { headNorm, linear } from "../layers.ts";
import { type ImageBatch, imageBatch } from "./image-batch.ts";

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
  /** How many images a run works on: one, or a name for their number. @default 1 */
  batch?: Dim | undefined;
  /**
   * Whether text and references come embedded, as {@link fluxEmbedders} gives them: they are the same in every step of an
   * edit.
   * @default false
   */
  areEmbedded?: boolean | undefined;
}

/**
 * Builds the network. Inputs: `latents` [batch, target, C] and `referenceLatents` [batch, reference, C] packed tokens;
 * `promptEmbeds` [batch, Lt, promptSize], or, embedded, `referenceStates` and `textStates` with the blocks' width in place
 * of both; `modulation` [batch, 1, modulationSize], of one step what `fluxModulation` gives; `rotaryCos`, `rotarySin`
 * [batch, Lt + target + reference, D/2]. All are float32, in any compute type.
 * @returns `velocity` [batch, target, C], float32
 */
export function fluxTransformer(
  config: FluxConfig,
  weights: WeightScope,
  { textLength, computeType = "float32", batch: size = 1, areEmbedded = false }: FluxOptions,
): Record<"velocity", Value> {
  const latents = input("latents", "float32", [size, "target", config.inChannels]);
  const modulation = modulationInput(config, size);
  const rotary: RotaryTable = {
    cos: input("rotaryCos", "float32", [size, "tokens", config.headSize / 2]),
    sin: input("rotarySin", "float32", [size, "tokens", config.headSize / 2]),
  };
  const batch = imageBatch(size, latents);
  const layers = { config, batch };
  const states = areEmbedded
    ? besideStates(layers, weights, latents, textLength)
    : besideTokens(layers, weights, latents, textLength);
  let image = ops.cast(states.image, computeType); // [batch, images, C]
  let text = ops.cast(states.text, computeType); // [batch, Lt, C]

  for (const [index, vectors] of modulation.doubleBlocks.entries()) {
    const block = weights.child("transformer_blocks", index);
    [text, image] = doubleStreamBlock(layers, block, { text, image }, vectors, rotary);
  }

  let joined = ops.concat([text, image], 1, "tokens"); // [batch, Lt + images, C]
  // Only the target's tokens are predicted, so the last block reads the others as keys and values alone.
  const ofTarget = (x: Value): Value => ops.rowsLike(ops.rowsAfter(x, text, "images", 1), latents, 1);
  const lastIndex = config.numSingleBlocks - 1;
  for (const [index, vectors] of modulation.singleBlocks.entries()) {
    const block = weights.child("single_transformer_blocks", index);
    joined = singleStreamBlock(layers, block, joined, vectors, rotary, index === lastIndex ? ofTarget : all);
  }
  const target = ops.toFloat32(lastIndex < 0 ? ofTarget(joined) : joined); // [batch, target, C]
  const normed = modulate(target, modulation.output, EPSILON);
  return { velocity: projected(layers, weights, "proj_out", normed, config.outChannels) };
}

/**
 * Embeds what is the same in every step of an edit. Inputs: `referenceLatents` [1, reference, C] packed tokens,
 * `promptEmbeds` [1, Lt, promptSize].
 * @returns `referenceStates` [1, reference, width] and `textStates` [1, Lt, width], float32
 */
export function fluxEmbedders(
  config: FluxConfig,
  weights: WeightScope,
  { textLength }: Pick<FluxOptions, "textLength">,
): Record<"referenceStates" | "textStates", Value> {
  const reference = input("referenceLatents", "float32", [1, "reference", config.inChannels]);
  const text = input("promptEmbeds", "float32", [1, textLength, config.promptSize]);
  const layers = { config, batch: imageBatch(1, reference) };
  return {
    referenceStates: embedded(layers, weights, "x_embedder", reference),
    textStates: embedded(layers, weights, "context_embedder", text),
  };
}

const embedded = (layers: Layers, weights: WeightScope, name: string, tokens: Value): Value =>
  projected(layers, weights, name, tokens, widthOf(layers.config));

/** Embeds all tokens. @returns float32 streams, target before references */
function besideTokens(layers: Layers, weights: WeightScope, latents: Value, textLength: Dim): Streams<Value> {
  const { config, batch } = layers;
  const reference = input("referenceLatents", "float32", [batch.size, "reference", config.inChannels]);
  const text = input("promptEmbeds", "float32", [batch.size, textLength, config.promptSize]);
  return {
    image: embedded(layers, weights, "x_embedder", ops.concat([latents, reference], 1, "images")),
    text: embedded(layers, weights, "context_embedder", text),
  };
}

/** Embeds the target's tokens alone. @returns as {@link besideTokens} */
function besideStates(layers: Layers, weights: WeightScope, latents: Value, textLength: Dim): Streams<Value> {
  const { config, batch } = layers;
  const width = widthOf(config);
  const reference = input("referenceStates", "float32", [batch.size, "reference", width]);
  const target = embedded(layers, weights, "x_embedder", latents);
  return {
    image: ops.concat([target, reference], 1, "images"),
    text: input("textStates", "float32", [batch.size, textLength, width]),
  };
}

/** What the layers of one graph have in common. */
interface Layers {
  config: FluxConfig;
  batch: ImageBatch;
}

/** A linear layer over x [batch, L, C]: [batch, L, size]. */
const projected = ({ batch }: Layers, weights: WeightScope, name: string, x: Value, size: number): Value =>
  batch.images(linear(weights, name, batch.rows(x), size), x.shape[1]!, size);

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
  layers: Layers,
  weights: WeightScope,
  { text, image }: Streams<Value>,
  vectors: Streams<StreamModulation>,
  rotary: RotaryTable,
): [text: Value, image: Value] {
  const attention = weights.child("attn");
  const width = widthOf(layers.config);

  // Both streams attend to both: text first.
  const normedText = modulate(text, vectors.text.attention, EPSILON);
  const normedImage = modulate(image, vectors.image.attention, EPSILON);
  const join = (ofText: Value, ofImage: Value): Value => ops.concat([ofText, ofImage], 1, "tokens");
  const query = join(
    normedProjection(layers, attention, "add_q_proj", "norm_added_q", normedText),
    normedProjection(layers, attention, "to_q", "norm_q", normedImage),
  ); // [batch, Lt + images, C]
  const key = join(
    normedProjection(layers, attention, "add_k_proj", "norm_added_k", normedText),
    normedProjection(layers, attention, "to_k", "norm_k", normedImage),
  );
  const value = join(
    projected(layers, attention, "add_v_proj", normedText, width),
    projected(layers, attention, "to_v", normedImage, width),
  );
  const attended = rotaryAttention(layers.config, query, key, value, rotary);
  const attendedText = ops.rowsLike(attended, text, 1);
  const attendedImage = ops.rowsAfter(attended, text, "images", 1);

  const finish = (
    stream: Value,
    attendedStream: Value,
    projection: string,
    { attention: { gate }, mlp }: StreamModulation,
    feedForward: string,
  ): Value => {
    const { batch } = layers;
    const afterAttention = gated(
      stream,
      gate,
      projected(layers, attention, projection, attendedStream, width),
    );
    const normedStream = batch.rows(modulate(afterAttention, mlp, EPSILON));
    const up = linear(weights, `${feedForward}.net.0.proj`, normedStream, MLP_RATIO * width);
    const down = linear(weights, `${feedForward}.net.2`, ops.gelu(up, { approximate: true }), width);
    return gated(afterAttention, mlp.gate, batch.images(down, stream.shape[1]!, width));
  };
  return [
    finish(text, attendedText, "to_add_out", vectors.text, "ff_context"),
    finish(image, attendedImage, "to_out.0", vectors.image, "ff"),
  ];
}

/** Some tokens of each image of a value that has all of them. */
type TokensOf = (x: Value) => Value;
const all: TokensOf = (x) => x;

/** @param wanted the tokens that are read after this block: the others are keys and values only */
function singleStreamBlock(
  layers: Layers,
  weights: WeightScope,
  hiddenStates: Value,
  modulation: Modulation,
  rotary: RotaryTable,
  wanted: TokensOf,
): Value {
  const { config, batch } = layers;
  const attention = weights.child("attn");
  const width = widthOf(config);
  const normed = modulate(hiddenStates, modulation, EPSILON);
  const read = wanted(normed);

  // Attention and the feed-forward layer read the same input and share one output projection.
  const query = normedProjection(layers, attention, "to_q", "norm_q", read);
  const key = normedProjection(layers, attention, "to_k", "norm_k", normed);
  const value = projected(layers, attention, "to_v", normed, width);
  const rotaryOfQuery = { cos: wanted(rotary.cos), sin: wanted(rotary.sin) };
  const attended = batch.rows(rotaryAttention(config, query, key, value, rotary, rotaryOfQuery));
  const mlp = ops.gelu(linear(weights, "proj_mlp", batch.rows(read), MLP_RATIO * width), {
    approximate: true,
  });
  const out = linear(weights, "proj_out", ops.concat([attended, mlp], 1), width);
  return gated(wanted(hiddenStates), modulation.gate, batch.images(out, read.shape[1]!, width));
}

const widthOf = ({ numHeads, headSize }: FluxConfig): number => numHeads * headSize;

/** Query or key, float32 [batch, L, H*D]: a linear layer, then each head normalised. */
function normedProjection(
  { config, batch }: Layers,
  weights: WeightScope,
  name: string,
  normName: string,
  x: Value,
): Value {
  const width = widthOf(config);
  const rows = linear(weights, name, batch.rows(x), width);
  return headNorm(weights, normName, rows, config.headSize, EPSILON, (normed) =>
    batch.images(normed, x.shape[1]!, width),
  );
}

/**
 * Rotates query [batch, Lq, H*D] and key [batch, L, H*D], float32, by their positions, then attends over every token of
 * their image; value [batch, L, H*D] is in the compute type: [batch, Lq, H*D].
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
  return ops.attention(turn(query, ofQuery), turn(key, ofKey), value, { numHeads });
}
