/**
 * The sizes of a Qwen3 language model that is read as an encoder, from its configuration; absent fields have the
 * defaults of transformers' `Qwen3Config` (transformers 5.23.0, `models/qwen3/configuration_qwen3.py`).
 */
import { RetouchError } from "../../errors.ts";
import { Config, shownValue } from "../../weights/config.ts";
import { MAX_HEADS, MAX_LAYERS, MAX_VOCABULARY, MAX_WIDTH } from "../../weights/limits.ts";
import { type Activation, readActivation } from "../activation.ts";

export interface Qwen3Config {
  width: number;
  mlpWidth: number;
  numLayers: number;
  numHeads: number;
  /** Heads of keys and values, each of which serves as many heads of queries. */
  numKeyHeads: number;
  headSize: number;
  vocabularySize: number;
  epsilon: number;
  activation: Activation;
  rotaryTheta: number;
  /** Whether the projections of attention have biases. */
  hasBias: boolean;
}

/** The fields that the shapes of its weights depend on. */
export type Qwen3Sizes = Omit<Qwen3Config, "activation" | "epsilon" | "rotaryTheta">;

/** The most tokens that a text has here; the reference's pipeline refuses more. */
export const MAX_QWEN3_TOKENS = 512;

/** Transformers' default where neither a configuration nor its table of rotary settings has one. */
const DEFAULT_THETA = 10_000;
const MAX_WINDOW = 2 ** 40;

/**
 * @param options.layers the hidden states to be read: 0 is the token table's, k what layer k gives
 * @throws RetouchError CHECKPOINT_INVALID or CHECKPOINT_UNSUPPORTED, naming file and field
 */
export function readQwen3Config(
  config: Config,
  { layers = [] }: { layers?: readonly number[] } = {},
): Qwen3Config {
  const fields = config.withNulls();
  const numHeads = fields.count("num_attention_heads", MAX_HEADS, 32);
  const numLayers = fields.wholeNumber("num_hidden_layers", MAX_LAYERS, 32);
  assertDeepEnough(config.file, numLayers, layers);
  assertFullAttention(fields, numLayers);
  return {
    width: fields.count("hidden_size", MAX_WIDTH, 4096),
    mlpWidth: fields.count("intermediate_size", MAX_WIDTH, 22_016),
    numLayers,
    numHeads,
    numKeyHeads: readKeyHeads(fields, numHeads),
    headSize: readHeadSize(fields),
    vocabularySize: fields.count("vocab_size", MAX_VOCABULARY, 151_936),
    epsilon: fields.number("rms_norm_eps", 1e-6),
    activation: readActivation(fields, "hidden_act", "silu"),
    rotaryTheta: readTheta(fields),
    hasBias: fields.boolean("attention_bias", false),
  };
}

function assertDeepEnough(file: string, numLayers: number, layers: readonly number[]): void {
  const deepest = Math.max(0, ...layers);
  if (deepest <= numLayers) return;
  throw new RetouchError(
    "CHECKPOINT_UNSUPPORTED",
    `In ${file}, num_hidden_layers is ${numLayers}, and the output of layer ${deepest} is read.`,
  );
}

function readKeyHeads(fields: Config, numHeads: number): number {
  const name = "num_key_value_heads";
  const numKeyHeads = fields.get(name) === null ? numHeads : fields.count(name, MAX_HEADS, 32);
  if (numHeads % numKeyHeads === 0) return numKeyHeads;
  throw new RetouchError(
    "CHECKPOINT_INVALID",
    `In ${fields.file}, ${name} (${numKeyHeads}) must divide num_attention_heads (${numHeads}).`,
  );
}

function readHeadSize(fields: Config): number {
  const headSize = fields.count("head_dim", MAX_WIDTH, 128);
  if (headSize % 2 === 0) return headSize;
  throw fields.invalid("head_dim", "an even number");
}

/** The rotary settings are a table of their own, in which older configurations have no theta. */
function readTheta(fields: Config): number {
  const name = fields.truth("rope_scaling", false) ? "rope_scaling" : "rope_parameters";
  const given = fields.get(name) ?? {};
  if (typeof given !== "object" || Array.isArray(given)) throw fields.invalid(name, "an object");
  const table = new Config(fields.file, given as Record<string, unknown>, { isNullKept: true });
  const type = table.get("rope_type") ?? table.get("type") ?? "default";
  if (type !== "default") {
    throw new RetouchError(
      "CHECKPOINT_UNSUPPORTED",
      `In ${fields.file}, the rope_type of ${name} is ${shownValue(type)}; known is default.`,
    );
  }
  const source = table.get("rope_theta") === undefined ? fields : table;
  const theta = source.number("rope_theta", DEFAULT_THETA);
  if (theta > 0) return theta;
  throw source.invalid("rope_theta", "more than 0");
}

/** A sliding window that is as long as any text changes nothing. */
function assertFullAttention(fields: Config, numLayers: number): void {
  const isSliding = fields.boolean("use_sliding_window", false) && fields.get("sliding_window") !== null;
  const window = isSliding ? fields.count("sliding_window", MAX_WINDOW, 4096) : Infinity;
  const types = fields.get("layer_types");
  if (types === undefined || types === null) {
    const firstSliding = fields.wholeNumber("max_window_layers", MAX_LAYERS, 28);
    if (window < MAX_QWEN3_TOKENS && firstSliding < numLayers) throw sliding(fields, window);
    return;
  }
  if (!Array.isArray(types) || types.length !== numLayers) {
    throw fields.invalid("layer_types", `a list of ${numLayers} layers' kinds`);
  }
  const strange = types.find((type) => type !== "full_attention" && type !== "sliding_attention");
  if (strange !== undefined) {
    throw new RetouchError(
      "CHECKPOINT_UNSUPPORTED",
      `In ${fields.file}, layer_types has ${shownValue(strange)}; known are full_attention and sliding_attention.`,
    );
  }
  if (!types.includes("sliding_attention")) return;
  if (!isSliding)
    throw fields.invalid("sliding_window", "a size in use, since layer_types has sliding_attention");
  if (window < MAX_QWEN3_TOKENS) throw sliding(fields, window);
}

const sliding = ({ file }: Config, window: number): RetouchError =>
  new RetouchError(
    "CHECKPOINT_UNSUPPORTED",
    `In ${file}, sliding_window is ${window}; texts have up to ${MAX_QWEN3_TOKENS} tokens, and a shorter window is not supported.`,
  );
