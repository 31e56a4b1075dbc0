/** Edits with weights in every kind, beside the same in float32, and from GGUF files. */
import { cp, readFile } from "node:fs/promises";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { decodePicture } from "../../src/images/decode.ts";
import { createEngine, type EngineOptions } from "../../src/engine/engine.ts";
import { SHIPPED_CHECKPOINT } from "../../src/engine/shipped.ts";
import type { WeightsKind } from "../../src/engine/component.ts";
import { psnr } from "../support/compare.ts";
import { fixtures, root } from "../support/fixtures.ts";
import { refusal } from "../support/refusal.ts";
import { copyOfCheckpoint, temporaryFolder } from "../support/temporary.ts";

async function edited(options: EngineOptions) {
  const engine = await createEngine({ threads: 1, safety: { isOn: false }, ...options });
  try {
    const image = await readFile(path.join(root, "examples", "bluebird.png"));
    const size = { width: 128, height: 128 };
    const { image: result } = await engine.edit({
      image,
      prompt: "Make it night",
      seed: 1,
      numSteps: 4,
      size,
    });
    return { picture: await decodePicture(result), weights: engine.checkpoint.weights };
  } finally {
    await engine.close();
  }
}

describe("the checkpoint that ships", () => {
  it.each<[WeightsKind, number]>([
    ["bf16", 45],
    ["int8", 40],
    ["int4", 28],
  ])("draws nearly the same in %s: %d dB", { timeout: 240_000 }, async (weights, decibels) => {
    const cacheFolder = await temporaryFolder();
    const exact = await edited({ weights: "fp32" });
    const found = await edited({ weights, cacheFolder });
    expect(found.weights).toEqual({ transformer: weights, t5: weights });
    const distance = psnr(found.picture.data, exact.picture.data);
    expect(distance).toBeGreaterThan(decibels);
    expect(distance).toBeLessThan(80);
  });

  it("draws the same in its own 16 bits, widened when they are needed", async () => {
    const cacheFolder = path.join(await temporaryFolder(), "none");
    const [exact, half] = [await edited({ weights: "fp32" }), await edited({ weights: "fp16", cacheFolder })];
    expect(psnr(half.picture.data, exact.picture.data)).toBeGreaterThan(80);
  });

  it("is float32 unless somebody says otherwise", async () => {
    const engine = await createEngine({ threads: 1 });
    expect(engine.checkpoint).toMatchObject({
      folder: SHIPPED_CHECKPOINT,
      weights: { transformer: "fp32", t5: "fp32" },
    });
    await engine.close();
  });
});

describe("GGUF files", () => {
  const fileOf = (name: string): string => path.join(fixtures, "gguf", name);
  const FILES = [
    [
      "a transformer's",
      "shifted",
      { transformer: fileOf("flux.gguf") },
      "transformer/diffusion_pytorch_model",
      "flux",
    ],
    ["T5's", "sharded", { textEncoder: fileOf("t5.gguf") }, "text_encoder_2/model", "t5"],
  ] as const;

  describe.each(FILES)("with %s numbers", (_, name, files, place, numbers) => {
    const folder = path.join(fixtures, "checkpoints", name);
    const dequantised = async () => {
      const checkpoint = await copyOfCheckpoint(name);
      await cp(fileOf(`${numbers}.safetensors`), path.join(checkpoint, `${place}.safetensors`));
      return edited({ checkpoint, weights: "fp32" });
    };

    it.each(["fp32", "auto"] as const)(
      "give exactly what a folder with them gives, in %s",
      async (weights) => {
        const cacheFolder = await temporaryFolder();
        const found = await edited({ checkpoint: folder, ...files, weights, cacheFolder });
        expect(found.weights).toEqual({ transformer: "fp32", t5: "fp32" });
        expect(found.picture.data).toEqual((await dequantised()).picture.data);
      },
    );

    it("give nearly that where memory is short: in 16 bits, unless somebody says otherwise", async () => {
      const cacheFolder = await temporaryFolder();
      const limits = { memoryLimit: 250e6, cacheFolder };
      const found = await edited({ checkpoint: folder, ...files, ...limits, weights: "auto" });
      expect(Object.values(found.weights)).toContain("fp16");
      expect(psnr(found.picture.data, (await dequantised()).picture.data)).toBeGreaterThan(45);
    });

    // Their blocks are exactly the runtime's; what is left is that it rounds what they are multiplied with.
    it("give about that in 8 bits", async () => {
      const cacheFolder = await temporaryFolder();
      const found = await edited({ checkpoint: folder, ...files, weights: "int8", cacheFolder });
      expect(psnr(found.picture.data, (await dequantised()).picture.data)).toBeGreaterThan(40);
    });
  });

  it("are refused as a network that they are not", async () => {
    const vae = fileOf("flux.gguf");
    await expect(createEngine({ vae })).rejects.toEqual(
      refusal("CHECKPOINT_INVALID", /flux\.gguf is a transformer, and an autoencoder is wanted\.$/),
    );
  });
});
