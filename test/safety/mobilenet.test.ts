import path from "node:path";
import { afterEach, describe, expect, it, vi } from "vitest";
import { mobileNet, readMobileNetConfig } from "../../src/safety/mobilenet.ts";
import { QuantizedWeights } from "../../src/safety/quantized-weights.ts";
import { Config } from "../../src/weights/config.ts";
import { readSafetensorsHeader } from "../../src/weights/safetensors.ts";
import { root } from "../support/fixtures.ts";
import { refusal } from "../support/refusal.ts";

const shipped = path.join(root, "checkpoints", "safety");
const weightsFile = path.join(shipped, "model.safetensors");
const FIELDS = {
  architecture: "MobileNetV2",
  image_size: 224,
  width_multiplier: 1.4,
  classes: ["Drawing", "Hentai", "Neutral", "Porn", "Sexy"],
};

afterEach(() => {
  vi.restoreAllMocks();
});

describe("the configuration of the checker's network", () => {
  it("is read from the shipped file", async () => {
    const config = readMobileNetConfig(await Config.read(path.join(shipped, "config.json")));
    expect(config).toEqual({ imageSize: 224, widthMultiplier: 1.4, classes: FIELDS.classes });
  });

  it.each([
    [{ architecture: "InceptionV3" }, "CHECKPOINT_UNSUPPORTED", "architecture must be MobileNetV2."],
    [{ image_size: 100 }, "CHECKPOINT_INVALID", "image_size must be a multiple of 32 and is 100."],
    [
      { image_size: "224" },
      "CHECKPOINT_INVALID",
      'image_size must be a whole number from 1 to 2048 and is "224".',
    ],
    [
      { width_multiplier: undefined },
      "CHECKPOINT_INVALID",
      "width_multiplier must be a number from 0.1 to 8 and is missing.",
    ],
    [
      { image_size: 3200 },
      "CHECKPOINT_INVALID",
      "image_size must be a whole number from 1 to 2048 and is 3200.",
    ],
    [
      { width_multiplier: 1e9 },
      "CHECKPOINT_INVALID",
      "width_multiplier must be a number from 0.1 to 8 and is 1000000000.",
    ],
    [
      { classes: Array(1001).fill("Porn") },
      "CHECKPOINT_INVALID",
      "classes must be a list of at most 1000 texts.",
    ],
    [{ classes: "Porn" }, "CHECKPOINT_INVALID", "classes must be a list of at most 1000 texts."],
    [{ classes: ["Porn", 1] }, "CHECKPOINT_INVALID", "classes must be a list of at most 1000 texts."],
  ] as const)("is refused with %o", (changes, code, sentence) => {
    expect(() => readMobileNetConfig(new Config("config.json", { ...FIELDS, ...changes }))).toThrow(
      refusal(code, `In config.json, ${sentence}`),
    );
  });
});

describe("the checker's network", () => {
  const build = async (changes: object = {}) =>
    mobileNet(
      readMobileNetConfig(new Config("config.json", { ...FIELDS, ...changes })),
      await QuantizedWeights.read(weightsFile),
    );

  it("gives a score a class, and uses every tensor of its file once", async () => {
    const kernel = vi.spyOn(QuantizedWeights.prototype, "kernel");
    const bias = vi.spyOn(QuantizedWeights.prototype, "bias");
    expect((await build()).scores.shape).toEqual([1, 5]);
    // A kernel is three tensors: bytes, scale and minimum. None is asked for twice: their names are values of a set.
    const { size } = await readSafetensorsHeader(weightsFile);
    expect(kernel.mock.calls.length * 3 + bias.mock.calls.length).toBe(size);
  });

  it("may see pictures of another size: its weights do not depend on it", async () => {
    expect((await build({ image_size: 96 })).scores.shape).toEqual([1, 5]);
  });

  it.each([
    [{ width_multiplier: 1 }, "Conv.weight must be uint8 [32, 3, 3, 3] and is U8 [48, 3, 3, 3]"],
    [{ classes: ["Porn", "Hentai"] }, "dense.weight must be uint8 [2, 1792] and is U8 [5, 1792]"],
  ])(
    "is refused where the configuration says %o and the weights say otherwise",
    async (changes, sentence) => {
      await expect(build(changes)).rejects.toEqual(
        refusal("CHECKPOINT_INVALID", `In ${weightsFile}, the weight ${sentence}.`),
      );
    },
  );
});
