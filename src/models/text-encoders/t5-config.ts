/** The sizes of a T5 encoder, from its configuration; absent fields have the defaults of transformers' `T5Config`. */
import { RetouchError } from "../../errors.ts";
import { Config } from "../../weights/config.ts";
import { MAX_HEADS, MAX_LAYERS, MAX_VOCABULARY, MAX_WIDTH } from "../../weights/limits.ts";
import { type Activation, readActivation } from "../activation.ts";

export interface T5Config {
  width: number;
  headSize: number;
  numHeads: number;
  mlpWidth: number;
  numLayers: number;
  vocabularySize: number;
  epsilon: number;
  numBuckets: number;
  maxDistance: number;
  isGated: boolean;
  activation: Activation;
}

/** The fields that the shapes of its weights, and its memory, depend on. */
export type T5Sizes = Omit<T5Config, "activation" | "epsilon">;

/** Limits of the position table; the published one has 32 buckets, up to a distance of 128. */
const MAX_BUCKETS = 4096;
const MAX_DISTANCE = 1_000_000;

/** Names that all of transformers' configurations share, and which it sets last, with T5's own names for them. */
const SHARED_NAMES = {
  hidden_size: "d_model",
  num_attention_heads: "num_heads",
  num_hidden_layers: "num_layers",
  head_dim: "d_kv",
} as const;

/** @throws RetouchError CHECKPOINT_INVALID or CHECKPOINT_UNSUPPORTED, naming file and field */
export function readT5Config(config: Config): T5Config {
  const fields = config.withNulls();
  const size = (name: keyof typeof SHARED_NAMES, fallback: number, max = MAX_WIDTH): number => {
    const own = fields.count(SHARED_NAMES[name], max, fallback);
    return fields.count(name, max, own);
  };
  if (fields.truth("is_decoder", false)) {
    throw new RetouchError(
      "CHECKPOINT_UNSUPPORTED",
      `In ${config.file}, is_decoder must be false: a text encoder is wanted.`,
    );
  }
  const ownLayers = fields.wholeNumber("num_layers", MAX_LAYERS, 6);
  return {
    width: size("hidden_size", 512),
    headSize: size("head_dim", 64),
    numHeads: size("num_attention_heads", 8, MAX_HEADS),
    mlpWidth: fields.count("d_ff", MAX_WIDTH, 2048),
    numLayers: fields.wholeNumber("num_hidden_layers", MAX_LAYERS, ownLayers),
    vocabularySize: fields.count("vocab_size", MAX_VOCABULARY, 32_128),
    epsilon: fields.number("layer_norm_epsilon", 1e-6),
    ...readBuckets(fields),
    ...readFeedForward(fields),
  };
}

/**
 * "relu" is a plain feed-forward layer, "gated-relu" a gated one; the gelu of "gated-gelu" is the tanh form by
 * convention. The two fields that follow from it can be given apart.
 */
function readFeedForward(config: Config): Pick<T5Config, "isGated" | "activation"> {
  const name = "feed_forward_proj";
  const projection = config.string(name, "relu");
  const parts = projection.split("-");
  if (parts.length > 2 || (parts.length === 2 && parts[0] !== "gated")) {
    throw config.invalid(name, "an activation's name, or gated- and one");
  }
  const implied = projection === "gated-gelu" ? "gelu_new" : parts.at(-1)!;
  const isGated = config.truth("is_gated_act", parts[0] === "gated");
  if (config.get("dense_act_fn") !== undefined) {
    return { isGated, activation: readActivation(config, "dense_act_fn") };
  }
  // Whatever is refused about it is the projection's.
  return { isGated, activation: readActivation(new Config(config.file, { [name]: implied }), name) };
}

/** Per direction, a quarter of the buckets hold one distance each; without larger ones, the logarithm has no base. */
function readBuckets(config: Config): Pick<T5Config, "numBuckets" | "maxDistance"> {
  const [buckets, distance] = ["relative_attention_num_buckets", "relative_attention_max_distance"] as const;
  const numBuckets = config.count(buckets, MAX_BUCKETS, 32);
  const maxDistance = config.count(distance, MAX_DISTANCE, 128);
  const numExact = Math.floor(numBuckets / 4);
  if (numExact < 1 || maxDistance <= numExact) {
    throw new RetouchError(
      "CHECKPOINT_INVALID",
      `In ${config.file}, ${buckets} (${numBuckets}) must be 4 or more, and ${distance} (${maxDistance}) more than a quarter of it.`,
    );
  }
  return { numBuckets, maxDistance };
}
