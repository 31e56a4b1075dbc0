import path from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { buildModel } from "../../../src/onnx/graph.ts";
import { readQwen3Config } from "../../../src/models/text-encoders/qwen3-config.ts";
import { PUBLISHED_KLEIN_CONFIGS } from "../../../src/pipelines/flux2-klein/published.ts";
import { qwen3Encoder, qwen3Inputs } from "../../../src/models/text-encoders/qwen3.ts";
import { Session } from "../../../src/runtime/session.ts";
import { Config } from "../../../src/weights/config.ts";
import { readSafetensorsHeader } from "../../../src/weights/safetensors.ts";
import { WeightSet } from "../../../src/weights/weight-set.ts";
import { readModel } from "../../support/onnx.ts";
import { refusal } from "../../support/refusal.ts";
import { difference } from "../../support/compare.ts";
import { type FixtureTensor, fixtures, readTensors } from "../../support/fixtures.ts";

const folder = path.join(fixtures, "qwen3");
/** The hidden states that `scripts/reference/qwen3_stages.py` reads of each encoder. */
const ENCODERS: Readonly<Record<string, readonly number[]>> = {
  grouped: [1, 2, 3],
  odd: [0, 3, 2],
  tied: [1, 2],
  single: [1],
};

async function open(name: string) {
  const config = await Config.read(path.join(folder, name, "config.json"));
  const tensors = await readSafetensorsHeader(path.join(folder, name, "model.safetensors"));
  return { config, tensors };
}

describe.each(Object.entries(ENCODERS))("the encoder %s", (name, layers) => {
  let expected: Map<string, FixtureTensor>;
  beforeAll(async () => {
    expected = await readTensors("qwen3/expected.safetensors");
  });

  it.each([["a fixed length"], ["any length"]])(
    "gives what the reference reads of it, built for %s",
    async (kind) => {
      const { config, tensors } = await open(name);
      const read = readQwen3Config(config, { layers });
      const weights = new WeightSet(name, tensors);
      const length = kind === "any length" ? "text" : 12;
      const outputs = qwen3Encoder(read, weights.scope(), { length, layers });
      expect(weights.unusedKeys()).toEqual([]);
      const options = { name, weightsFolder: weights.baseFolder, threads: 1 };
      const session = await Session.load(buildModel(name, outputs), options);
      for (const numTokens of [1, 7, 12]) {
        const ids = Array.from(expected.get(`${name}.${numTokens}.ids`)!.data, Number);
        const { promptEmbeds } = await session.run(qwen3Inputs(read, ids, numTokens));
        const wanted = expected.get(`${name}.${numTokens}.promptEmbeds`)!;
        expect(promptEmbeds!.shape).toEqual(wanted.shape);
        expect(
          difference(promptEmbeds!.data as Float32Array, wanted.data as Float32Array).relative,
        ).toBeLessThan(2e-6);
      }
      await session.dispose();
    },
  );
});

describe("the graph", () => {
  it("holds the token table and the layers up to the last that is read, and nothing else", async () => {
    const { config, tensors } = await open("grouped");
    const weights = new WeightSet("grouped", tensors);
    const outputs = qwen3Encoder(readQwen3Config(config), weights.scope(), {
      length: "text",
      layers: [2, 1],
    });
    const { initializers, inputs } = readModel(buildModel("grouped", outputs));
    const stored = initializers.filter((name) => name.startsWith("model."));
    const read = [...tensors.keys()].filter((key) => /^model\.(?:embed_tokens|layers\.[01]\.)/.test(key));
    expect(stored.toSorted()).toEqual(read.toSorted());
    expect(inputs).toEqual({
      tokenIds: ["text"],
      attentionBias: [1, 1, "text", "keys"],
      rotaryCos: [1, "text", 4],
      rotarySin: [1, "text", 4],
    });
  });

  it.each([["model.layers.1.self_attn.k_norm.weight"], ["model.embed_tokens.weight"]])(
    "is missing %s by its key",
    async (key) => {
      const { config, tensors } = await open("grouped");
      const weights = new WeightSet("text_encoder", new Map([...tensors].filter(([name]) => name !== key)));
      expect(() =>
        qwen3Encoder(readQwen3Config(config), weights.scope(), { length: 4, layers: [3] }),
      ).toThrow(
        refusal("CHECKPOINT_INVALID", new RegExp(`the weight ${key.replaceAll(".", "\\.")} .* is missing`)),
      );
    },
  );

  it("names what it has no place for", async () => {
    const { config, tensors } = await open("odd");
    const more = new Map(tensors).set("model.layers.0.mlp.gate_proj.bias", tensors.get("model.norm.weight")!);
    const weights = new WeightSet("text_encoder", more);
    qwen3Encoder(readQwen3Config(config), weights.scope(), { length: 4, layers: [3] });
    expect(weights.unusedKeys()).toEqual(["model.layers.0.mlp.gate_proj.bias"]);
  });
});

const FILE = "text_encoder/config.json";
const read = (fields: Record<string, unknown>, layers?: readonly number[]) =>
  readQwen3Config(new Config(FILE, fields), layers && { layers });

describe("the configuration", () => {
  it("of nothing has the defaults of the class", () => {
    const { activation: _, ...sizes } = read({});
    // From `Qwen3Config()` of transformers 5.23.0.
    expect(sizes).toEqual({
      width: 4096,
      mlpWidth: 22_016,
      numLayers: 32,
      numHeads: 32,
      numKeyHeads: 32,
      headSize: 128,
      vocabularySize: 151_936,
      epsilon: 1e-6,
      rotaryTheta: 10_000,
      hasBias: false,
    });
  });

  it.each([
    [{ num_key_value_heads: null, num_attention_heads: 6 }, "numKeyHeads", 6],
    [{ rope_theta: 1_000_000, rope_scaling: null }, "rotaryTheta", 1_000_000],
    [{ rope_theta: 5, rope_parameters: { rope_theta: 7 } }, "rotaryTheta", 7],
    [{ rope_theta: 5, rope_parameters: { rope_type: "default" } }, "rotaryTheta", 5],
    [
      { rope_scaling: { type: "default", rope_theta: 9 }, rope_parameters: { rope_type: "yarn" } },
      "rotaryTheta",
      9,
    ],
    [{ rope_parameters: null }, "rotaryTheta", 10_000],
    [{ attention_bias: true }, "hasBias", true],
    [{ use_sliding_window: true, sliding_window: 512, max_window_layers: 0 }, "numLayers", 32],
    [{ use_sliding_window: true, sliding_window: 8, max_window_layers: 32 }, "numLayers", 32],
    [{ use_sliding_window: false, sliding_window: 8, max_window_layers: 0 }, "numLayers", 32],
    [{ use_sliding_window: true, sliding_window: null, max_window_layers: 0 }, "numLayers", 32],
    [{ layer_types: ["full_attention"], num_hidden_layers: 1, sliding_window: 8 }, "numLayers", 1],
  ] as const)("%j has %s %j, as in the reference", (fields, name, value) => {
    expect(read(fields)[name]).toBe(value);
  });

  /** What Qwen3-4B and Qwen3-8B have in common, as both were published. */
  const PUBLISHED = {
    architectures: ["Qwen3ForCausalLM"],
    attention_bias: false,
    attention_dropout: 0,
    bos_token_id: 151_643,
    eos_token_id: 151_645,
    head_dim: 128,
    hidden_act: "silu",
    initializer_range: 0.02,
    max_position_embeddings: 40_960,
    max_window_layers: 36,
    model_type: "qwen3",
    num_attention_heads: 32,
    num_hidden_layers: 36,
    num_key_value_heads: 8,
    rms_norm_eps: 1e-6,
    rope_scaling: null,
    rope_theta: 1_000_000,
    sliding_window: null,
    torch_dtype: "bfloat16",
    transformers_version: "4.51.0",
    use_cache: true,
    use_sliding_window: false,
    vocab_size: 151_936,
  };
  const SIZES = {
    "4B": { hidden_size: 2560, intermediate_size: 9728, tie_word_embeddings: true },
    "8B": { hidden_size: 4096, intermediate_size: 12_288, tie_word_embeddings: false },
  };
  const { torch_dtype: dtype, rope_scaling: _, rope_theta: theta, ...rest } = PUBLISHED;
  /** As releases of transformers after that one write the same. */
  const FORMS = {
    "as it was published": PUBLISHED,
    "in FLUX.2's folder": { ...PUBLISHED, dtype, layer_types: Array(36).fill("full_attention") },
    "of transformers 5": {
      ...rest,
      dtype,
      layer_types: Array(36).fill("full_attention"),
      rope_parameters: { rope_type: "default", rope_theta: theta },
    },
  };

  it.each(Object.keys(SIZES).flatMap((size) => Object.keys(FORMS).map((form) => [size, form] as const)))(
    "of Qwen3-%s %s is read whole",
    (size, form) => {
      const { hidden_size: width, intermediate_size: mlpWidth } = SIZES[size as keyof typeof SIZES];
      const found = read(
        { ...FORMS[form as keyof typeof FORMS], ...SIZES[size as keyof typeof SIZES] },
        [9, 18, 27],
      );
      expect(found).toEqual({ ...PUBLISHED_KLEIN_CONFIGS.qwen3, width, mlpWidth });
    },
  );

  const UNSUPPORTED = "CHECKPOINT_UNSUPPORTED";
  const INVALID = "CHECKPOINT_INVALID";
  it.each([
    [{ num_hidden_layers: 20 }, UNSUPPORTED, "num_hidden_layers is 20, and the output of layer 27 is read."],
    [
      { rope_scaling: { rope_type: "yarn", factor: 4 } },
      UNSUPPORTED,
      'the rope_type of rope_scaling is "yarn"; known is default.',
    ],
    [
      { rope_parameters: { type: "linear" } },
      UNSUPPORTED,
      'the rope_type of rope_parameters is "linear"; known is default.',
    ],
    [
      { rope_parameters: { full_attention: { rope_theta: 3 } } },
      UNSUPPORTED,
      "rope_parameters has settings of its own for full_attention; one table for all layers is known.",
    ],
    [{ rope_parameters: [1] }, INVALID, "rope_parameters must be an object and is [1]."],
    [{ rope_theta: 0 }, INVALID, "rope_theta must be more than 0 and is 0."],
    [{ rope_theta: null }, INVALID, "rope_theta must be a number and is null."],
    [
      { num_attention_heads: 6, num_key_value_heads: 4 },
      INVALID,
      "num_key_value_heads (4) must divide num_attention_heads (6).",
    ],
    [{ head_dim: 7 }, INVALID, "head_dim must be an even number and is 7."],
    [{ head_dim: null }, INVALID, "head_dim must be a whole number from 1 to 131072 and is null."],
    [
      { num_hidden_layers: 1e9 },
      INVALID,
      "num_hidden_layers must be a whole number from 0 to 1000 and is 1000000000.",
    ],
    [{ hidden_act: "swiglu" }, UNSUPPORTED, "hidden_act is swiglu; known are "],
    [
      { use_sliding_window: true, sliding_window: 511, max_window_layers: 3 },
      UNSUPPORTED,
      "sliding_window is 511; texts have up to 512 tokens, and a shorter window is not supported.",
    ],
    [
      {
        use_sliding_window: true,
        sliding_window: 8,
        num_hidden_layers: 28,
        layer_types: Array(28).fill("sliding_attention"),
      },
      UNSUPPORTED,
      "sliding_window is 8; texts have up to 512 tokens, and a shorter window is not supported.",
    ],
    [
      { num_hidden_layers: 28, layer_types: Array(28).fill("sliding_attention") },
      INVALID,
      "sliding_window must be a size in use, since layer_types has sliding_attention and is missing.",
    ],
    [
      { layer_types: ["full_attention"] },
      INVALID,
      'layer_types must be a list of 32 layers\' kinds and is ["full_attention"].',
    ],
    [
      { num_hidden_layers: 28, layer_types: Array(28).fill("chunked_attention") },
      UNSUPPORTED,
      'layer_types has "chunked_attention"; known are full_attention and sliding_attention.',
    ],
  ])("%j is refused", (fields, code, sentence) => {
    let message = "";
    try {
      read(fields, [9, 18, 27]);
    } catch (error) {
      message = (error as Error).message;
      expect(error).toMatchObject({ code });
    }
    expect(message.slice(0, `In ${FILE}, ${sentence}`.length)).toBe(`In ${FILE}, ${sentence}`);
  });
});
