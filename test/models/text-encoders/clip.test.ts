import { describe, expect, it } from "vitest";
import { clipEndPosition, clipTextEncoder, readClipConfig } from "../../../src/models/text-encoders/clip.ts";
import { Config } from "../../../src/weights/config.ts";
import { WeightSet } from "../../../src/weights/weight-set.ts";
import { refusal } from "../../support/refusal.ts";
import { describeWeights, readComponent } from "../../support/weights.ts";

describe("the position of CLIP's end token", () => {
  it("is the first of the end tokens that the configuration names", () => {
    expect(clipEndPosition([0, 9, 7, 1, 1, 1], 1)).toBe(3);
    expect(clipEndPosition([1], 1)).toBe(0);
  });

  it("is that of the highest id where an old configuration says 2", () => {
    expect(clipEndPosition([570, 2, 4, 573, 573], 2)).toBe(3);
    expect(clipEndPosition([5, 571, 2, 571], 2)).toBe(1);
  });

  it("is the start of a text without one", () => {
    expect(clipEndPosition([5, 6, 7], 1)).toBe(0);
  });
});

describe("CLIP's configuration", () => {
  it("is refused where the heads do not divide the width", () => {
    const fields = { hidden_size: 16, num_attention_heads: 3 };
    expect(() => readClipConfig(new Config("text_encoder/config.json", fields))).toThrow(
      refusal(
        "CHECKPOINT_INVALID",
        "In text_encoder/config.json, num_attention_heads (3) must divide hidden_size (16).",
      ),
    );
  });
});

const build: Parameters<typeof describeWeights>[1] = (config, weights) =>
  clipTextEncoder(readClipConfig(config), weights, { length: 4 });

describeWeights("text_encoder", build, { isOptional: (key) => key.endsWith("position_ids") });

describe("CLIP's keys", () => {
  it("may have the prefix of the whole CLIP", async () => {
    const { config, tensors } = await readComponent("sharded", "text_encoder");
    const renamed = [...tensors].map(([key, tensor]) => [`clip.${key}`, tensor] as const);
    const weights = new WeightSet("text_encoder", new Map(renamed));
    build(config, weights.scope());
    expect(weights.unusedKeys()).toEqual([]);
  });

  it.each(["plain", "sharded"])("may have the prefix text_model or not, as %s shows", async (name) => {
    const { config, tensors } = await readComponent(name, "text_encoder");
    const hasPrefix = [...tensors.keys()].some((key) => key.startsWith("text_model."));
    expect(hasPrefix).toBe(name === "plain");
    const renamed = [...tensors].map(
      ([key, tensor]) => [hasPrefix ? key.replace("text_model.", "") : `text_model.${key}`, tensor] as const,
    );
    const weights = new WeightSet("text_encoder", new Map(renamed));
    build(config, weights.scope());
    expect(weights.unusedKeys()).toEqual([]);
  });
});
