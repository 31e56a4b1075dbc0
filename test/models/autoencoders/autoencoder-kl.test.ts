import { describe, expect, it } from "vitest";
import { readAutoencoderConfig } from "../../../src/models/autoencoders/autoencoder-config.ts";
import { autoencoderDecoder, autoencoderEncoder } from "../../../src/models/autoencoders/autoencoder-kl.ts";
import { Config } from "../../../src/weights/config.ts";
import { refusal } from "../../support/refusal.ts";
import { describeWeights } from "../../support/weights.ts";

const levels = {
  block_out_channels: [8, 16],
  down_block_types: ["DownEncoderBlock2D", "DownEncoderBlock2D"],
  up_block_types: ["UpDecoderBlock2D", "UpDecoderBlock2D"],
};
const read = (fields: Record<string, unknown>) =>
  readAutoencoderConfig(new Config("vae/config.json", { ...levels, norm_num_groups: 2, ...fields }));

describe("an autoencoder's configuration", () => {
  it("gives each level after the first half the size", () => {
    expect(read({}).scaleFactor).toBe(2);
    expect(read({ shift_factor: null }).shiftFactor).toBe(0);
  });

  it.each([
    [
      "down_block_types",
      ["DownEncoderBlock2D", "DownBlock2D"],
      "DownEncoderBlock2D or AttnDownEncoderBlock2D",
    ],
    ["up_block_types", ["UpBlock2D", "AttnUpDecoderBlock2D"], "UpDecoderBlock2D or AttnUpDecoderBlock2D"],
  ])("is refused where %s is %o", (name, types, blocks) => {
    expect(() => read({ [name]: types })).toThrow(
      refusal("CHECKPOINT_UNSUPPORTED", `In vae/config.json, ${name} must name ${blocks} at every level.`),
    );
  });

  it("is refused where a level has no block type", () => {
    expect(() => read({ up_block_types: ["UpDecoderBlock2D"] })).toThrow(
      refusal(
        "CHECKPOINT_INVALID",
        'In vae/config.json, up_block_types must be a list of 2 block types, one for each of block_out_channels, and is ["UpDecoderBlock2D"].',
      ),
    );
  });

  it.each([
    [{ act_fn: "tanh" }, "act_fn is tanh; known are gelu, mish, relu, silu, swish."],
    [{ in_channels: 4 }, "in_channels must be 3."],
    [{ out_channels: 4 }, "out_channels must be 3, or 1 for grey images, and is 4."],
  ])("is refused where it says %o", (fields, sentence) => {
    expect(() => read(fields)).toThrow(refusal("CHECKPOINT_UNSUPPORTED", `In vae/config.json, ${sentence}`));
  });

  it.each([undefined, 0, 32, [32, 32]])(
    "says nothing of the size of its images by %o, so that it is the published one",
    (size) => {
      expect(read({ sample_size: size }).sampleSize).toBe(1024);
      expect(read({ sample_size: [64, 32] }).sampleSize).toBe(64);
    },
  );

  it("is refused where the groups of a norm do not divide the channels", () => {
    expect(() => read({ norm_num_groups: 6 })).toThrow(
      refusal(
        "CHECKPOINT_INVALID",
        "In vae/config.json, norm_num_groups (6) must divide all of block_out_channels (8, 16).",
      ),
    );
  });

  it("means the published size where nobody chose one: absent, or the class's default", () => {
    for (const fields of [{}, { sample_size: 32 }, { sample_size: [32, 32] }]) {
      expect(read(fields).sampleSize).toBe(1024);
    }
    expect([64, 128, 1024].map((side) => read({ sample_size: side }).sampleSize)).toEqual([64, 128, 1024]);
    // The class reads the first number of a list.
    expect(read({ sample_size: [512, 256] }).sampleSize).toBe(512);
    expect(() => read({ sample_size: [] })).not.toThrow();
    expect(() => read({ sample_size: ["a"] })).toThrow(refusal("CHECKPOINT_INVALID", /sample_size/));
  });

  it("is refused where it asks for no level", () => {
    const none = { block_out_channels: [], down_block_types: [], up_block_types: [] };
    expect(() => read(none)).toThrow(refusal("CHECKPOINT_INVALID", /block_out_channels/));
  });
});

describeWeights("vae", (config, weights) => {
  const parsed = readAutoencoderConfig(config);
  return { ...autoencoderEncoder(parsed, weights), ...autoencoderDecoder(parsed, weights) };
});
