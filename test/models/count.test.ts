/** What is counted from the graphs is what checkpoints hold. */
import { describe, expect, it } from "vitest";
import {
  countOperations,
  countWeights,
  totalOf,
  travellingBytes,
  unloadedNetwork,
  type WeightCount,
  workOf,
} from "../../src/models/count.ts";
import { input } from "../../src/onnx/graph.ts";
import { attention, cast, conv2d, upsampleNearest } from "../../src/onnx/ops.ts";
import { PUBLISHED_CONFIGS } from "../../src/pipelines/flux1-kontext/published.ts";
import {
  type AutoencoderConfig,
  readAutoencoderConfig,
} from "../../src/models/autoencoders/autoencoder-config.ts";
import { autoencoderDecoder, autoencoderEncoder } from "../../src/models/autoencoders/autoencoder-kl.ts";
import { type ClipConfig, clipTextEncoder, readClipConfig } from "../../src/models/text-encoders/clip.ts";
import { type FluxConfig, readFluxConfig } from "../../src/models/transformers/flux-config.ts";
import { readT5Config, type T5Config } from "../../src/models/text-encoders/t5-config.ts";
import { t5Encoder } from "../../src/models/text-encoders/t5.ts";
import { fluxModulation } from "../../src/models/transformers/flux-modulation.ts";
import { fluxTransformer } from "../../src/models/transformers/flux.ts";
import type { Config } from "../../src/weights/config.ts";
import { readJson } from "../support/fixtures.ts";
import { CHECKPOINTS, readComponent } from "../support/weights.ts";

type Shapes = ReadonlyMap<string, readonly number[]>;

const MODULATION = /time_text_embed|norm1(_context)?\.linear|blocks\.\d+\.norm\.linear|norm_out\.linear/;
const DECODER = /^(decoder|post_quant_conv)\./;
/** What rows are taken of, and what is no matrix, though it has two dimensions as well. */
const TABLE = /shared|embed_tokens/;
const WHOLE = /embedding|relative_attention_bias/;
const kindOf = (key: string, shape: readonly number[]): "matrices" | "tables" | "others" => {
  if (TABLE.test(key)) return "tables";
  return shape.length === 2 && !WHOLE.test(key) ? "matrices" : "others";
};

function countOf(shapes: Shapes, isCounted: (key: string) => boolean = () => true) {
  const count = { matrices: 0, tables: 0, others: 0 };
  for (const [key, shape] of shapes) {
    if (!isCounted(key)) continue;
    count[kindOf(key, shape)] += shape.reduce((size, dim) => size * dim, 1);
  }
  return count;
}
const numbersOf = (shapes: Shapes, isCounted?: (key: string) => boolean): number =>
  totalOf(countOf(shapes, isCounted));
const counted = ({ matrices, tables, others }: WeightCount) => ({ matrices, tables, others });
const modulationOf = (flux: FluxConfig) => counted(countWeights((weights) => fluxModulation(flux, weights)));
const transformerOf = (flux: FluxConfig) =>
  counted(countWeights((weights) => fluxTransformer(flux, weights, { textLength: 8 })));
const clipOf = (config: ClipConfig) =>
  counted(countWeights((weights) => clipTextEncoder(config, weights, { length: 8 })));
const t5Of = (config: T5Config) =>
  counted(countWeights((weights) => t5Encoder(config, weights, { length: 8 })));
const encoderOf = (config: AutoencoderConfig) =>
  totalOf(countWeights((weights) => autoencoderEncoder(config, weights)));
const decoderOf = (config: AutoencoderConfig) =>
  totalOf(countWeights((weights) => autoencoderDecoder(config, weights)));

describe.each(CHECKPOINTS)("the parameters of %s", (name) => {
  async function shapesOf(component: string): Promise<{ config: Config; shapes: Shapes }> {
    const { config, tensors } = await readComponent(name, component);
    return { config, shapes: new Map([...tensors].map(([key, { shape }]) => [key, shape])) };
  }

  it("are those of its transformer, modulation apart", async () => {
    const { config, shapes } = await shapesOf("transformer");
    const flux = readFluxConfig(config);
    expect(modulationOf(flux)).toEqual(countOf(shapes, (key) => MODULATION.test(key)));
    expect(transformerOf(flux)).toEqual(countOf(shapes, (key) => !MODULATION.test(key)));
  });

  it("are those of its text encoders, without what is stored twice or follows from the configuration", async () => {
    const clip = await shapesOf("text_encoder");
    expect(clipOf(readClipConfig(clip.config))).toEqual(
      countOf(clip.shapes, (key) => !key.endsWith("position_ids")),
    );
    const t5 = await shapesOf("text_encoder_2");
    const hasBoth = t5.shapes.has("shared.weight");
    expect(t5Of(readT5Config(t5.config))).toEqual(
      countOf(t5.shapes, (key) => !(hasBoth && key === "encoder.embed_tokens.weight")),
    );
  });

  it("are those of its autoencoder", async () => {
    const { config, shapes } = await shapesOf("vae");
    const autoencoder = readAutoencoderConfig(config);
    const isDecoder = (key: string): boolean => DECODER.test(key);
    expect(decoderOf(autoencoder)).toBe(numbersOf(shapes, isDecoder));
    expect(encoderOf(autoencoder)).toBe(numbersOf(shapes, (key) => !isDecoder(key)));
  });
});

describe("the parameters of the published model", () => {
  const published = readJson<Record<"transformer" | "vae", Record<string, number[]>>>(
    "single-files/published.json",
  );
  const transformer = new Map(Object.entries(published.transformer));
  const vae = new Map(Object.entries(published.vae));

  it("are those of its files", () => {
    const { flux, autoencoder } = PUBLISHED_CONFIGS;
    expect(modulationOf(flux)).toEqual(countOf(transformer, (key) => MODULATION.test(key)));
    expect(transformerOf(flux)).toEqual(countOf(transformer, (key) => !MODULATION.test(key)));
    const ofDecoder = decoderOf(autoencoder);
    const ofEncoder = encoderOf(autoencoder);
    expect(ofDecoder + ofEncoder).toBe(numbersOf(vae));
  });

  it("are 4.8 thousand millions in T5 and 123 millions in CLIP, as their authors count them", () => {
    expect(totalOf(t5Of(PUBLISHED_CONFIGS.t5))).toBe(4_762_310_656);
    expect(totalOf(clipOf(PUBLISHED_CONFIGS.clip))).toBe(123_060_480);
  });
});

describe("the work of a run", () => {
  const weights = unloadedNetwork((scope) => {
    const x = conv2d(input("x", "float32", [1, 3, "h", "w"]), scope.tensor("in", [8, 3, 3, 3]), undefined, {
      padding: [1, 1, 1, 1],
    });
    const halved = conv2d(x, scope.tensor("down", [16, 8, 3, 3]), undefined, {
      stride: 2,
      padding: [0, 0, 1, 1],
    });
    return {
      y: conv2d(upsampleNearest(upsampleNearest(halved)), scope.tensor("out", [4, 16, 1, 1]), undefined),
    };
  });
  const dims = { h: 6, w: 10 };

  it("has convolutions by the size of what they give, halved and doubled where the graph says so", () => {
    const operations = workOf(weights, dims).map((work) => work.operations);
    expect(operations).toEqual([2 * 8 * 3 * 9 * 60, 2 * 16 * 8 * 9 * 15, 2 * 4 * 16 * 240]);
    expect(countOperations(weights, dims)).toEqual({
      linear: 0,
      attention: 0,
      convolution: operations.reduce((sum, one) => sum + one, 0),
    });
  });

  it("has attention with its heads, in the type that it is computed in", () => {
    const x = cast(input("x", "float32", [1, "tokens", 24]), "float16");
    expect(workOf({ y: attention(x, x, x, { numHeads: 3 }) }, { tokens: 5 })).toEqual([
      {
        kind: "attention",
        dtype: "float16",
        length: 5,
        numHeads: 3,
        headSize: 8,
        operations: 4 * 5 * 5 * 24,
      },
    ]);
  });

  it("has the bytes of its inputs and outputs", () => {
    expect(travellingBytes(weights, dims)).toEqual({
      inputs: { x: 4 * 3 * 60 },
      outputs: { y: 4 * 4 * 240 },
    });
  });

  it("needs the size of every dimension", () => {
    expect(() => countOperations(weights, { h: 6 })).toThrow("The dimension w has no size.");
  });
});
