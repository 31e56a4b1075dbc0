/** llama.cpp's names of T5: every tensor of the published files has its place, and every weight of the network. */
import { describe, expect, it } from "vitest";
import { llamaT5Layout } from "../../../src/models/layouts/t5-layouts.ts";
import { readT5Config } from "../../../src/models/text-encoders/t5-config.ts";
import { Config } from "../../../src/weights/config.ts";
import { readJson } from "../../support/fixtures.ts";
import { CHECKPOINTS, readComponent } from "../../support/weights.ts";

type Shapes = Record<string, number[]>;

const published =
  readJson<Record<"t5-v1_1-xxl-encoder.gguf" | "text_encoder_2", Shapes>>("gguf/published.json");
const PUBLISHED_CONFIG = new Config("text_encoder_2/config.json", {
  d_model: 4096,
  d_kv: 64,
  d_ff: 10240,
  num_layers: 24,
  num_heads: 64,
  vocab_size: 32128,
  feed_forward_proj: "gated-gelu",
});

/** Keys and shapes; a key that stands twice is an error. */
function shapesOf(entries: readonly { key: string; shape: readonly number[] }[]): Shapes {
  expect(new Set(entries.map(({ key }) => key)).size).toBe(entries.length);
  return Object.fromEntries(entries.map(({ key, shape }) => [key, [...shape]]));
}

describe("the published T5 encoder as GGUF", () => {
  const layout = llamaT5Layout(readT5Config(PUBLISHED_CONFIG));

  it("has every tensor that the layout names, in its shape, and no other", () => {
    expect(layout).toHaveLength(219);
    expect(shapesOf(layout)).toEqual(published["t5-v1_1-xxl-encoder.gguf"]);
  });

  it("gives every weight of the published folder, in its shape, once", () => {
    expect(shapesOf(layout.flatMap(({ parts }) => parts))).toEqual(published.text_encoder_2);
  });
});

describe.each(CHECKPOINTS)("the layout for the sizes of %s", (checkpoint) => {
  it("gives every weight of its T5, the token table under its first name", async () => {
    const { config, tensors } = await readComponent(checkpoint, "text_encoder_2");
    const stored = [...tensors].map(([key, { shape }]) => ({
      key: key.replace("encoder.embed_tokens", "shared"),
      shape,
    }));
    const once = new Map(stored.map((weight) => [weight.key, weight]));
    const layout = llamaT5Layout(readT5Config(config));
    expect(shapesOf(layout.flatMap(({ parts }) => parts))).toEqual(shapesOf([...once.values()]));
  });
});
