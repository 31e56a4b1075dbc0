/**
 * The T5 encoder, key for key as transformers' `T5EncoderModel`
 * (transformers 5.23.0, `models/t5/modeling_t5.py`).
 * Positions enter as a learnt bias on the attention scores, by distance; all layers share the first layer's table.
 */
import { constant, type Dim, input, type Value } from "../../onnx/graph.ts";
import * as ops from "../../onnx/ops.ts";
import type { WeightScope } from "../../weights/weight-set.ts";
import { attend, plainLinear, rmsNorm } from "../layers.ts";
import type { T5Config } from "./t5-config.ts";

const PREFIX = "transformer";

/**
 * Builds the network for texts of `length` tokens: `tokenIds` [L] gives `promptEmbeds` [L, C]. If the length is a name, it
 * may differ from run to run, and `positionBuckets` [1, L, L] is what the function of that name gives.
 */
export function t5Encoder(
  config: T5Config,
  weights: WeightScope,
  { length }: { length: Dim },
): Record<"promptEmbeds", Value> {
  const { width, numHeads, headSize } = config;
  const tokenIds = input("tokenIds", "int64", [length]);
  // As part of a larger network of transformers, all of its keys have a prefix.
  const own = weights.hasChild(PREFIX) ? weights.child(PREFIX) : weights;
  let hiddenStates = embedded(config, own, tokenIds); // [L, C]
  const encoder = own.child("encoder");
  let bias: Value | undefined;

  for (let index = 0; index < config.numLayers; index += 1) {
    const [attentionLayer, mlpLayer] = [
      encoder.child("block", index, "layer.0"),
      encoder.child("block", index, "layer.1"),
    ];
    const attention = attentionLayer.child("SelfAttention");
    const normed = rmsNorm(attentionLayer, "layer_norm", hiddenStates, config.epsilon);
    const [query, key, value] = ["q", "k", "v"].map((name) =>
      plainLinear(attention, name, normed, numHeads * headSize),
    );
    bias ??= positionBias(config, attention, length);
    // T5 leaves the scores unscaled: its initialisation accounts for the head size.
    const attended = attend(query!, key!, value!, { numHeads, scale: 1, bias });
    hiddenStates = ops.add(hiddenStates, plainLinear(attention, "o", attended, width));

    const mlpInput = rmsNorm(mlpLayer, "layer_norm", hiddenStates, config.epsilon);
    hiddenStates = ops.add(hiddenStates, feedForward(config, mlpLayer.child("DenseReluDense"), mlpInput));
  }
  return { promptEmbeds: rmsNorm(encoder, "final_layer_norm", hiddenStates, config.epsilon) };
}

/** The token table has two names. Of a file that holds both, the reference's encoder reads its own. */
function embedded(config: T5Config, weights: WeightScope, tokenIds: Value): Value {
  const [shared, own] = ["shared.weight", "encoder.embed_tokens.weight"] as const;
  const stored = weights.has(own) ? own : shared;
  if (stored === own) weights.ignore(shared);
  return weights.rows(stored, [config.vocabularySize, config.width], tokenIds);
}

function feedForward(config: T5Config, weights: WeightScope, x: Value): Value {
  const { mlpWidth, activation, isGated } = config;
  const up = isGated
    ? ops.mul(
        activation(plainLinear(weights, "wi_0", x, mlpWidth)),
        plainLinear(weights, "wi_1", x, mlpWidth),
      )
    : activation(plainLinear(weights, "wi", x, mlpWidth));
  return plainLinear(weights, "wo", up, config.width);
}

/** What each head adds to the score of a pair, [1, H, L, L]. */
function positionBias(config: T5Config, weights: WeightScope, length: Dim): Value {
  const table = weights
    .child("relative_attention_bias")
    .tensor("weight", [config.numBuckets, config.numHeads]);
  const buckets =
    typeof length === "number"
      ? constant(positionBuckets(config, length), [1, length, length])
      : input("positionBuckets", "int64", [1, length, length]);
  return ops.transpose(ops.gather(table, buckets), [0, 3, 1, 2]);
}

/** The bucket of each pair of `length` tokens, [1, L, L]. */
export function positionBuckets(config: BucketSizes, length: number): BigInt64Array {
  const buckets = new BigInt64Array(length * length);
  const ofOffset = Array.from({ length: 2 * length }, (_, index) =>
    BigInt(relativePositionBucket(index - length, config)),
  );
  for (let query = 0; query < length; query += 1) {
    for (let key = 0; key < length; key += 1) {
      buckets[query * length + key] = ofOffset[key - query + length]!;
    }
  }
  return buckets;
}

type BucketSizes = Pick<T5Config, "numBuckets" | "maxDistance">;

/** Small distances have a bucket each, large ones share logarithmic buckets; half of them serve each direction. */
export function relativePositionBucket(offset: number, { numBuckets, maxDistance }: BucketSizes): number {
  const half = Math.floor(numBuckets / 2);
  const base = offset > 0 ? half : 0;
  const distance = Math.abs(offset);
  const numExact = Math.floor(half / 2);
  if (distance < numExact) return base + distance;
  // Float32, as in the reference: in float64 some distances round to the other side of a whole number.
  const ratio = Math.fround(Math.log(Math.fround(distance / numExact)));
  const scaled = Math.fround(Math.fround(ratio / Math.log(maxDistance / numExact)) * (half - numExact));
  return base + Math.min(half - 1, numExact + Math.trunc(scaled));
}
