import { cp, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { loadNetworks } from "../../../src/pipelines/flux1-kontext/model.ts";
import { Checkpoint } from "../../../src/weights/checkpoint.ts";
import { fixtures } from "../../support/fixtures.ts";
import { refusal } from "../../support/refusal.ts";
import { openModel } from "../../../src/pipelines/index.ts";
import { copyOfCheckpoint, temporaryFolder } from "../../support/temporary.ts";

/** A copy of a fixture checkpoint with fields of one of its configurations changed. */
async function withFields(name: string, file: string, fields: Record<string, unknown>): Promise<Checkpoint> {
  const folder = await copyOfCheckpoint(name);
  const full = path.join(folder, file);
  const config = JSON.parse(await readFile(full, "utf8")) as object;
  await writeFile(full, JSON.stringify({ ...config, ...fields }));
  return Checkpoint.open(folder);
}

it("another pipeline's checkpoint is refused by its name", async () => {
  const folder = await temporaryFolder();
  await writeFile(path.join(folder, "model_index.json"), '{"_class_name": "StableDiffusionPipeline"}');
  await expect(openModel(folder)).rejects.toEqual(
    refusal(
      "CHECKPOINT_UNSUPPORTED",
      `The checkpoint ${folder} is a StableDiffusionPipeline; a FluxKontextPipeline, a Flux2KleinPipeline or a Flux2KleinKVPipeline is wanted.`,
    ),
  );
});

describe("the networks of a checkpoint", () => {
  it.each([
    ["scheduler", "FlowMatchHeunDiscreteScheduler", "FlowMatchEulerDiscreteScheduler"],
    ["transformer", "SD3Transformer2DModel", "FluxTransformer2DModel"],
    ["vae", "AutoencoderTiny", "AutoencoderKL"],
    ["text_encoder", "CLIPTextModelWithProjection", "CLIPTextModel"],
    ["text_encoder_2", "UMT5EncoderModel", "T5EncoderModel"],
  ])("are refused where %s is a %s", async (component, given, wanted) => {
    const checkpoint = await withFields("plain", "model_index.json", { [component]: ["library", given] });
    await expect(loadNetworks(checkpoint, { threads: 1 })).rejects.toEqual(
      refusal(
        "CHECKPOINT_UNSUPPORTED",
        `In ${path.join(checkpoint.folder, "model_index.json")}, ${component} is a "${given}"; a ${wanted} is wanted.`,
      ),
    );
  });

  it("are refused where the transformer's tokens are no patches of the autoencoder's latents", async () => {
    const checkpoint = await withFields("plain", "vae/config.json", { latent_channels: 5 });
    await expect(loadNetworks(checkpoint, { threads: 1 })).rejects.toEqual(
      refusal(
        "CHECKPOINT_INVALID",
        `The checkpoint ${checkpoint.folder} has a transformer of 16 channels and an autoencoder of 5; four times as many are wanted.`,
      ),
    );
  });

  it.each([
    [
      "transformer/config.json",
      { num_layers: 3 },
      /^transformer: the weight transformer_blocks\.2\..* is missing\.$/,
    ],
    [
      "vae/config.json",
      { layers_per_block: 2 },
      /^vae: the weight encoder\.down_blocks\.0\.resnets\.1\..* is missing\.$/,
    ],
    [
      "vae/config.json",
      { layers_per_block: 3 },
      /^vae: the weight encoder\.down_blocks\.0\.resnets\.1\..* is missing\.$/,
    ],
    [
      "text_encoder/config.json",
      { num_hidden_layers: 4 },
      /^text_encoder: the weight text_model\.encoder\.layers\.2\..* is missing\.$/,
    ],
    [
      "text_encoder_2/config.json",
      { d_ff: 48 },
      /^text_encoder_2: the weight encoder\.block\.0\.layer\.1\.DenseReluDense\.wi_0\.weight /,
    ],
  ])("are refused where %s says %o and the weights say otherwise", async (file, fields, sentence) => {
    const checkpoint = await withFields("plain", file, fields);
    await expect(loadNetworks(checkpoint, { threads: 1 })).rejects.toEqual(
      refusal("CHECKPOINT_INVALID", sentence),
    );
  });

  it.each([
    ["text_encoder_2", "tokenizer_2", "shifted", "24 and 16", "16 and 16"],
    ["text_encoder", "tokenizer", "sharded", "24 and 16", "24 and 12"],
  ])(
    "are refused where %s and %s are those of another checkpoint",
    async (encoder, tokenizer, other, wanted, given) => {
      const folder = await copyOfCheckpoint("plain");
      for (const component of [encoder, tokenizer]) {
        await cp(path.join(fixtures, "checkpoints", other, component), path.join(folder, component), {
          recursive: true,
        });
      }
      await expect(loadNetworks(await Checkpoint.open(folder), { threads: 1 })).rejects.toEqual(
        refusal(
          "CHECKPOINT_INVALID",
          `The checkpoint ${folder} has a transformer for text embeddings of ${wanted} numbers (T5 and CLIP) and text encoders that give ${given}.`,
        ),
      );
    },
  );
});
