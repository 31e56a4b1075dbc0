import { describe, expect, it } from "vitest";
import { fluxTransformer } from "../../../src/models/transformers/flux.ts";
import { readFluxConfig } from "../../../src/models/transformers/flux-config.ts";
import { fluxModulation } from "../../../src/models/transformers/flux-modulation.ts";
import { Config } from "../../../src/weights/config.ts";
import { refusal } from "../../support/refusal.ts";
import { describeWeights } from "../../support/weights.ts";

const read = (fields: Record<string, unknown>) =>
  readFluxConfig(new Config("transformer/config.json", fields));

describe("a transformer's configuration", () => {
  it("falls back to the published sizes, as the reference does", () => {
    expect(read({})).toEqual({
      inChannels: 64,
      outChannels: 64,
      numDoubleBlocks: 19,
      numSingleBlocks: 38,
      numHeads: 24,
      headSize: 128,
      promptSize: 4096,
      pooledSize: 768,
      hasGuidance: false,
      rotaryAxes: [16, 56, 56],
    });
  });

  it.each([
    ["another sum", [4, 4, 6]],
    ["an odd number", [3, 4, 5]],
    ["two numbers", [6, 6]],
    ["four numbers, of which the first three do not fit", [2, 2, 4, 4]],
  ])("is refused where the rotary axes are %s", (_, axes) => {
    expect(() => read({ attention_head_dim: 12, axes_dims_rope: axes })).toThrow(
      refusal(
        "CHECKPOINT_INVALID",
        `In transformer/config.json, axes_dims_rope must be three even numbers with the sum attention_head_dim (12) and is [${axes.join(",")}].`,
      ),
    );
  });

  it.each([
    [{ patch_size: 2 }, 64, 2],
    [{ in_channels: 64, out_channels: 16 }, 16, 1],
  ])("is refused where a token has other channels in and out: %o", (fields, channels, size) => {
    expect(() => read(fields)).toThrow(
      refusal(
        "CHECKPOINT_INVALID",
        `In transformer/config.json, out_channels (${channels}) times the square of patch_size (${size}) must be in_channels (64).`,
      ),
    );
  });

  it.each(["num_layers", "num_single_layers"])(
    "may have no blocks of a kind, but no part of one: %s",
    (name) => {
      expect(() => read({ [name]: 0 })).not.toThrow();
      for (const count of [-1, 1.5])
        expect(() => read({ [name]: count })).toThrow(refusal("CHECKPOINT_INVALID", new RegExp(name)));
    },
  );
});

describeWeights("transformer", (fields, weights) => {
  const config = readFluxConfig(fields);
  return { ...fluxModulation(config, weights), ...fluxTransformer(config, weights, { textLength: 4 }) };
});
