/**
 * The rectified-flow transformer, key for key as diffusers' `FluxTransformer2DModel`
 * (diffusers 0.42.1, `models/transformers/transformer_flux.py`).
 * Double-stream blocks keep text and picture apart but for attention; single-stream blocks treat them as one
 * sequence: text, target, reference.
 */
import { RetouchError } from "../errors.ts";
import { floats, input, scalar, type Value } from "../onnx/graph.ts";
import * as ops from "../onnx/ops.ts";
import type { Config } from "../weights/config.ts";
import type { WeightScope } from "../weights/weight-set.ts";
import { batched, headNorm, lastDim, linear, unbatched } from "./layers.ts";

export interface FluxConfig {
  /** Channels of a packed token. */
  inChannels: number;
  outChannels: number;
  numDoubleBlocks: number;
  numSingleBlocks: number;
  numHeads: number;
  headSize: number;
  /** Size of the text encoder's output, per token and pooled. */
  promptSize: number;
  pooledSize: number;
  hasGuidance: boolean;
  /** How many of a head's dimensions each position axis (stream, row, column) turns. */
  rotaryAxes: readonly number[];
}

/** Epsilon of every norm, fixed in the reference implementation. */
const EPSILON = 1e-6;
/** Channels of the sinusoidal embedding, and how much sigma and guidance are scaled before it. */
const TIME_CHANNELS = 256;
const TIME_SCALE = 1000;
const MLP_RATIO = 4;

export function readFluxConfig(config: Config): FluxConfig {
  const inChannels = config.count("in_channels", 64);
  const parsed: FluxConfig = {
    inChannels,
    outChannels: config.count("out_channels", inChannels),
    numDoubleBlocks: config.wholeNumber("num_layers", 19),
    numSingleBlocks: config.wholeNumber("num_single_layers", 38),
    numHeads: config.count("num_attention_heads", 24),
    headSize: config.count("attention_head_dim", 128),
    promptSize: config.count("joint_attention_dim", 4096),
    pooledSize: config.count("pooled_projection_dim", 768),
    hasGuidance: config.boolean("guidance_embeds", false),
    rotaryAxes: config.counts("axes_dims_rope", [16, 56, 56]),
  };
  const rotated = parsed.rotaryAxes.reduce((sum, axis) => sum + axis, 0);
  if (
    parsed.rotaryAxes.length !== 3 ||
    rotated !== parsed.headSize ||
    parsed.rotaryAxes.some((axis) => axis % 2)
  ) {
    throw new RetouchError(
      "CHECKPOINT_INVALID",
      `In ${config.file}, axes_dims_rope must be three even numbers with the sum attention_head_dim (${parsed.headSize}), not ${parsed.rotaryAxes.join(", ")}.`,
    );
  }
  if (config.count("patch_size", 1) !== 1 || parsed.outChannels !== parsed.inChannels) {
    throw new RetouchError(
      "CHECKPOINT_UNSUPPORTED",
      `In ${config.file}, patch_size must be 1 and out_channels equal to in_channels.`,
    );
  }
  return parsed;
}

/**
 * Builds the network. Inputs: `latents` [target, C] and `referenceLatents` [reference, C] packed tokens;
 * `promptEmbeds` [Lt, promptSize]; `pooledPromptEmbeds` [1, pooledSize]; `timestep` [1], the current sigma;
 * `guidance` [1] where the configuration has it; `rotaryCos`, `rotarySin` [1, Lt + target + reference, D/2].
 * @returns `velocity` [target, C]
 */
export function fluxTransformer(
  config: FluxConfig,
  weights: WeightScope,
  { textLength }: { textLength: number },
): Record<"velocity", Value> {
  const width = config.numHeads * config.headSize;
  const latents = input("latents", "float32", ["target", config.inChannels]);
  const referenceLatents = input("referenceLatents", "float32", ["reference", config.inChannels]);
  const promptEmbeds = input("promptEmbeds", "float32", [textLength, config.promptSize]);
  const rotary: RotaryTable = {
    cos: input("rotaryCos", "float32", [1, "tokens", config.headSize / 2]),
    sin: input("rotarySin", "float32", [1, "tokens", config.headSize / 2]),
  };

  const modulation = ops.silu(timeTextEmbedding(config, weights.child("time_text_embed"), width));
  const images = ops.concat([latents, referenceLatents], 0, "images");
  let hiddenStates = linear(weights, "x_embedder", images, width); // [images, C]
  let encoderHiddenStates = linear(weights, "context_embedder", promptEmbeds, width); // [Lt, C]

  for (let index = 0; index < config.numDoubleBlocks; index += 1) {
    const block = doubleStreamBlock(config, weights.child("transformer_blocks", index));
    [encoderHiddenStates, hiddenStates] = block(encoderHiddenStates, hiddenStates, modulation, rotary);
  }

  let joined = ops.concat([encoderHiddenStates, hiddenStates], 0, "tokens"); // [Lt + images, C]
  for (let index = 0; index < config.numSingleBlocks; index += 1) {
    joined = singleStreamBlock(
      config,
      weights.child("single_transformer_blocks", index),
      joined,
      modulation,
      rotary,
    );
  }

  // The reference has served its purpose as keys and values; only the target's tokens are predicted.
  const target = ops.rowsLike(ops.rows(joined, textLength, Infinity, "images"), latents); // [target, C]
  const [scale, shift] = ops.split(linear(weights, "norm_out.linear", modulation, 2 * width), 2, 1);
  return { velocity: linear(weights, "proj_out", modulate(target, scale!, shift!), config.outChannels) };
}

interface RotaryTable {
  cos: Value;
  sin: Value;
}

/** Sigma, guidance and the pooled text as one vector [1, C] that steers every block. */
function timeTextEmbedding(config: FluxConfig, weights: WeightScope, width: number): Value {
  const embed = (name: string, x: Value): Value => {
    const scope = weights.child(name);
    return linear(scope, "linear_2", ops.silu(linear(scope, "linear_1", x, width)), width);
  };
  const timestep = input("timestep", "float32", [1]);
  let embedding = embed("timestep_embedder", sinusoidalEmbedding(timestep));
  if (config.hasGuidance) {
    const guidance = input("guidance", "float32", [1]);
    embedding = ops.add(embedding, embed("guidance_embedder", sinusoidalEmbedding(guidance)));
  }
  const pooled = input("pooledPromptEmbeds", "float32", [1, config.pooledSize]);
  return ops.add(embedding, embed("text_embedder", pooled));
}

/** Cosines, then sines, of a number [1] at 128 frequencies from 1 down to 1/10000: [1, 256]. */
function sinusoidalEmbedding(value: Value): Value {
  const half = TIME_CHANNELS / 2;
  // Rounded to float32 where the reference rounds: at angles of up to 10,000 (guidance 10) a last bit is visible.
  const { fround } = Math;
  const logBase = fround(-Math.log(10_000));
  const frequencies = Array.from({ length: half }, (_, index) =>
    Math.exp(fround(fround(logBase * index) / half)),
  );
  const scaled = ops.mul(ops.reshape(value, [1, 1]), scalar(TIME_SCALE));
  const angles = ops.mul(scaled, floats(frequencies, [1, half]));
  return ops.concat([ops.cos(angles), ops.sin(angles)], 1);
}

function doubleStreamBlock(config: FluxConfig, weights: WeightScope) {
  const attention = weights.child("attn");
  const width = config.numHeads * config.headSize;

  return (text: Value, image: Value, modulation: Value, rotary: RotaryTable): [text: Value, image: Value] => {
    const imageMod = modulationOf(weights.child("norm1"), modulation, 6);
    const textMod = modulationOf(weights.child("norm1_context"), modulation, 6);

    // Both streams attend to both: text first.
    const normedImage = modulate(image, imageMod[1]!, imageMod[0]!);
    const normedText = modulate(text, textMod[1]!, textMod[0]!);
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
    const textLength = text.shape[0] as number;
    const attendedText = ops.rows(attended, 0, textLength, textLength);
    const attendedImage = ops.rows(attended, textLength, Infinity, "images");

    const finish = (
      stream: Value,
      attendedStream: Value,
      projection: string,
      [, , gateAttention, shift, scale, gateMlp]: Value[],
      feedForward: string,
    ): Value => {
      const afterAttention = gated(
        stream,
        gateAttention!,
        linear(attention, projection, attendedStream, width),
      );
      const normedStream = modulate(afterAttention, scale!, shift!);
      const up = linear(weights, `${feedForward}.net.0.proj`, normedStream, MLP_RATIO * width);
      const down = linear(weights, `${feedForward}.net.2`, ops.gelu(up, { approximate: true }), width);
      return gated(afterAttention, gateMlp!, down);
    };
    return [
      finish(text, attendedText, "to_add_out", textMod, "ff_context"),
      finish(image, attendedImage, "to_out.0", imageMod, "ff"),
    ];
  };
}

function singleStreamBlock(
  config: FluxConfig,
  weights: WeightScope,
  hiddenStates: Value,
  modulation: Value,
  rotary: RotaryTable,
): Value {
  const attention = weights.child("attn");
  const width = config.numHeads * config.headSize;
  const [shift, scale, gate] = modulationOf(weights.child("norm"), modulation, 3);
  const normed = modulate(hiddenStates, scale!, shift!);

  // Attention and the feed-forward layer read the same input and share one output projection.
  const query = normedProjection(config, attention, "to_q", "norm_q", normed);
  const key = normedProjection(config, attention, "to_k", "norm_k", normed);
  const value = linear(attention, "to_v", normed, width);
  const attended = rotaryAttention(config, query, key, value, rotary);
  const mlp = ops.gelu(linear(weights, "proj_mlp", normed, MLP_RATIO * width), { approximate: true });
  return gated(hiddenStates, gate!, linear(weights, "proj_out", ops.concat([attended, mlp], 1), width));
}

/** Query or key [1, L, H*D]: a linear layer, then each head normalised. */
function normedProjection(
  { numHeads, headSize }: FluxConfig,
  weights: WeightScope,
  name: string,
  normName: string,
  x: Value,
): Value {
  return headNorm(weights, normName, linear(weights, name, x, numHeads * headSize), headSize, EPSILON);
}

/** Attention over every token after turning query and key [1, L, H*D] by their positions; value [L, H*D]: [L, H*D]. */
function rotaryAttention(
  { numHeads }: FluxConfig,
  query: Value,
  key: Value,
  value: Value,
  { cos, sin }: RotaryTable,
): Value {
  const turn = (x: Value): Value => ops.rotaryEmbedding(x, cos, sin, numHeads);
  return unbatched(ops.attention(turn(query), turn(key), batched(value), { numHeads }));
}

/** `count` vectors [1, C] of one linear layer, in the order stored: shift, scale, gate. */
const modulationOf = (weights: WeightScope, modulation: Value, count: number): Value[] =>
  ops.split(linear(weights, "linear", modulation, count * lastDim(modulation)), count, 1);

/** norm(x) * (1 + scale) + shift in one operator: the norm's own scale and shift are computed, not learnt. */
function modulate(x: Value, scale: Value, shift: Value): Value {
  const vector = (value: Value): Value => ops.reshape(value, [lastDim(value)]);
  return ops.layerNorm(x, vector(ops.add(scale, scalar(1))), vector(shift), EPSILON);
}

const gated = (residual: Value, gate: Value, x: Value): Value => ops.add(residual, ops.mul(gate, x));
