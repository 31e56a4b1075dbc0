/** What is counted from configurations is what checkpoints hold. */
import { describe, expect, it } from "vitest";
import * as parameters from "../../src/models/parameters.ts";
import { PUBLISHED_SIZES } from "../../src/pipelines/flux1-kontext/published.ts";
import { readAutoencoderConfig } from "../../src/models/autoencoders/autoencoder-kl.ts";
import { readClipConfig } from "../../src/models/text-encoders/clip.ts";
import { readFluxConfig } from "../../src/models/transformers/flux-config.ts";
import { readT5Config } from "../../src/models/text-encoders/t5.ts";
import type { Config } from "../../src/weights/config.ts";
import { readJson } from "../support/fixtures.ts";
import { CHECKPOINTS, readComponent } from "../support/weights.ts";

type Shapes = ReadonlyMap<string, readonly number[]>;

const MODULATION = /time_text_embed|norm1(_context)?\.linear|blocks\.\d+\.norm\.linear|norm_out\.linear/;
const DECODER = /^(decoder|post_quant_conv)\./;
/** Two-dimensional, and multiplied with: no table that is looked up in. */
const isMatrix = (key: string, shape: readonly number[]): boolean =>
  shape.length === 2 && !/embedding|shared|embed_tokens|relative_attention_bias/.test(key);

function countOf(shapes: Shapes, isCounted: (key: string) => boolean = () => true) {
  const count = { matrices: 0, others: 0 };
  for (const [key, shape] of shapes) {
    if (!isCounted(key)) continue;
    count[isMatrix(key, shape) ? "matrices" : "others"] += shape.reduce((size, dim) => size * dim, 1);
  }
  return count;
}
const numbersOf = (shapes: Shapes, isCounted?: (key: string) => boolean): number =>
  parameters.totalOf(countOf(shapes, isCounted));

describe.each(CHECKPOINTS)("the parameters of %s", (name) => {
  async function shapesOf(component: string): Promise<{ config: Config; shapes: Shapes }> {
    const { config, tensors } = await readComponent(name, component);
    return { config, shapes: new Map([...tensors].map(([key, { shape }]) => [key, shape])) };
  }

  it("are those of its transformer, modulation apart", async () => {
    const { config, shapes } = await shapesOf("transformer");
    const flux = readFluxConfig(config);
    expect(parameters.modulationParameters(flux)).toEqual(countOf(shapes, (key) => MODULATION.test(key)));
    expect(parameters.transformerParameters(flux)).toEqual(countOf(shapes, (key) => !MODULATION.test(key)));
  });

  it("are those of its text encoders, without what is stored twice or follows from the configuration", async () => {
    const clip = await shapesOf("text_encoder");
    expect(parameters.clipParameters(readClipConfig(clip.config))).toEqual(
      countOf(clip.shapes, (key) => !key.endsWith("position_ids")),
    );
    const t5 = await shapesOf("text_encoder_2");
    const hasBoth = t5.shapes.has("shared.weight");
    expect(parameters.t5Parameters(readT5Config(t5.config))).toEqual(
      countOf(t5.shapes, (key) => !(hasBoth && key === "encoder.embed_tokens.weight")),
    );
  });

  it("are those of its autoencoder", async () => {
    const { config, shapes } = await shapesOf("vae");
    const autoencoder = readAutoencoderConfig(config);
    const isDecoder = (key: string): boolean => DECODER.test(key);
    expect(parameters.totalOf(parameters.decoderParameters(autoencoder))).toBe(numbersOf(shapes, isDecoder));
    expect(parameters.totalOf(parameters.encoderParameters(autoencoder))).toBe(
      numbersOf(shapes, (key) => !isDecoder(key)),
    );
  });
});

describe("the parameters of the published model", () => {
  const published = readJson<Record<"transformer" | "vae", Record<string, number[]>>>(
    "single-files/published.json",
  );
  const transformer = new Map(Object.entries(published.transformer));
  const vae = new Map(Object.entries(published.vae));

  it("are those of its files", () => {
    const { flux, autoencoder } = PUBLISHED_SIZES;
    expect(parameters.modulationParameters(flux)).toEqual(
      countOf(transformer, (key) => MODULATION.test(key)),
    );
    expect(parameters.transformerParameters(flux)).toEqual(
      countOf(transformer, (key) => !MODULATION.test(key)),
    );
    const ofDecoder = parameters.totalOf(parameters.decoderParameters(autoencoder));
    const ofEncoder = parameters.totalOf(parameters.encoderParameters(autoencoder));
    expect(ofDecoder + ofEncoder).toBe(numbersOf(vae));
  });

  it("are 4.8 thousand millions in T5 and 123 millions in CLIP, as their authors count them", () => {
    expect(parameters.totalOf(parameters.t5Parameters(PUBLISHED_SIZES.t5))).toBe(4_762_310_656);
    expect(parameters.totalOf(parameters.clipParameters(PUBLISHED_SIZES.clip))).toBe(123_060_480);
  });
});
