/**
 * The stages of an edit from every format of file: the same bits as from the folder where the numbers are the same, and
 * close to it where they are rounded.
 */
import { cp, rename, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { describe, expect, it } from "vitest";
import type { ComponentOptions } from "../../../src/engine/components.ts";
import {
  flux2AutoencoderDecoder,
  flux2AutoencoderEncoder,
} from "../../../src/models/autoencoders/autoencoder-kl-flux2.ts";
import { readFlux2AutoencoderConfig } from "../../../src/models/autoencoders/flux2-autoencoder-config.ts";
import { type Build, requestedWeights } from "../../../src/models/count.ts";
import { originalFlux2AutoencoderLayout } from "../../../src/models/layouts/original-autoencoder.ts";
import { originalFlux2Layout } from "../../../src/models/layouts/original-flux2.ts";
import { llamaQwen3Layout } from "../../../src/models/layouts/qwen3-layouts.ts";
import { readQwen3Config } from "../../../src/models/text-encoders/qwen3-config.ts";
import { qwen3Encoder } from "../../../src/models/text-encoders/qwen3.ts";
import { flux2Modulation } from "../../../src/models/transformers/flux2-modulation.ts";
import { flux2Transformer } from "../../../src/models/transformers/flux2.ts";
import { readFlux2Config } from "../../../src/models/transformers/flux2-config.ts";
import { rotaryTable } from "../../../src/models/transformers/rotary.ts";
import { loadNetworks } from "../../../src/pipelines/flux2-klein/model.ts";
import { referenceIds, targetIds, textIds } from "../../../src/pipelines/flux2-klein/positions.ts";
import { packLatents } from "../../../src/pipelines/shared/packing.ts";
import { joined } from "../../../src/pipelines/shared/rotary.ts";
import { Checkpoint, type SingleFiles } from "../../../src/weights/checkpoint.ts";
import { Config } from "../../../src/weights/config.ts";
import { difference } from "../../support/compare.ts";
import { fixtures } from "../../support/fixtures.ts";
import { numbers } from "../../support/made-up.ts";
import { wave } from "../../support/onnx.ts";
import {
  asBlocks,
  asGguf,
  asScaledFp8,
  inLayout,
  type Tensors,
  withPrefix,
} from "../../support/other-formats.ts";
import { refusal } from "../../support/refusal.ts";
import { float32, readStored, writeSafetensors } from "../../support/safetensors.ts";
import { temporaryFolder } from "../../support/temporary.ts";

const FORM = { areReferencesKept: false };
const LENGTH = 32;
const SIDE = 32;
const FILES = {
  transformer: "transformer/diffusion_pytorch_model.safetensors",
  vae: "vae/diffusion_pytorch_model.safetensors",
  textEncoder: "text_encoder/model.safetensors",
} as const;
const folderOf = (name: string): string => path.join(fixtures, "klein", "checkpoints", name);

interface Stages {
  promptEmbeds: Float32Array;
  latents: Float32Array;
  velocity: Float32Array;
  pixels: Float32Array;
}

async function run(folder: string, files: SingleFiles = {}, options?: ComponentOptions): Promise<Stages> {
  const networks = await loadNetworks(
    await Checkpoint.open(folder, files),
    FORM,
    { threads: 1 },
    { cacheFolder: await temporaryFolder(), ...options },
  );
  const prompt = await networks.encodePrompt("Make the red car blue", LENGTH);
  const size = { width: SIDE, height: SIDE };
  const latents = await networks.encodePixels(Float32Array.from(wave(3 * SIDE ** 2)), size);
  const grid = networks.latentSize(size);
  const packed = packLatents(latents, networks.autoencoder.latentChannels, grid);
  const [modulation] = await networks.modulations(Float32Array.of(0.7));
  const { rotaryAxes: axes, rotaryTheta: theta } = networks.configs.transformer;
  const ids = joined([textIds(LENGTH), targetIds(grid), referenceIds(grid, 0)]);
  const velocity = await networks.velocity({
    latents: packed,
    embedded: await networks.embed(prompt, { referenceLatents: networks.tokens(packed) }),
    rotary: rotaryTable(ids, { axes, theta }),
    modulation: modulation!,
  });
  const pixels = await networks.decodeLatents(latents, grid);
  await networks.dispose();
  return { promptEmbeds: prompt.promptEmbeds.data as Float32Array, latents, velocity, pixels };
}

const STAGES = ["promptEmbeds", "latents", "velocity", "pixels"] as const;

function expectSame(found: Stages, expected: Stages): void {
  for (const stage of STAGES) {
    expect(expected[stage].some((value) => value !== 0)).toBe(true);
    expect(difference(found[stage], expected[stage]).largest, stage).toBe(0);
  }
}

/** Networks of a folder, by their own keys, and in the layouts that users have them in. */
async function layoutsOf(name: string, folder = folderOf(name)) {
  const tensorsOf = (file: string): Promise<Tensors> => readStored(path.join(folder, file));
  const configOf = (component: string): Promise<Config> =>
    Config.read(path.join(folder, component, "config.json"));
  const [transformer, vae, textEncoder] = await Promise.all(Object.values(FILES).map(tensorsOf));
  const named = await inTransformersNames(textEncoder!);
  return {
    own: { transformer: transformer!, vae: vae!, textEncoder: textEncoder! },
    original: {
      transformer: inLayout(
        originalFlux2Layout(readFlux2Config(await configOf("transformer"))),
        transformer!,
      ),
      vae: inLayout(
        originalFlux2AutoencoderLayout(readFlux2AutoencoderConfig(await configOf("vae")), {
          has: () => false,
        }),
        vae!,
      ),
      textEncoder: inLayout(
        llamaQwen3Layout(readQwen3Config(await configOf("text_encoder")), {
          has: () => "lm_head.weight" in named,
        }),
        named,
      ),
    },
  };
}

/** Keys as `Qwen3ForCausalLM` has them, which files of the inner model lack the beginning of. */
const inTransformersNames = (tensors: Tensors): Promise<Tensors> =>
  Promise.resolve("embed_tokens.weight" in tensors ? withPrefix("model.", tensors) : tensors);

async function write(tensors: Tensors, name: string): Promise<string> {
  const file = path.join(await temporaryFolder(), name);
  await (name.endsWith(".gguf") ? writeFile(file, asGguf(tensors)) : writeSafetensors(file, tensors));
  return file;
}

const names = ["plain", "odd"] as const;

describe.each(names)("the networks of %s", (name) => {
  it("are the same in the original layout", async () => {
    const { original, own } = await layoutsOf(name);
    const files = {
      transformer: await write(original.transformer, "flux2.safetensors"),
      vae: await write(original.vae, "ae.safetensors"),
      textEncoder: await write(own.textEncoder, "qwen.safetensors"),
    };
    expectSame(await run(folderOf(name), files), await run(folderOf(name)));
  });

  it("are the same under ComfyUI's prefixes, all in one file", async () => {
    const { own } = await layoutsOf(name);
    const whole = await write(
      {
        ...withPrefix("model.diffusion_model.", own.transformer),
        ...withPrefix("first_stage_model.", own.vae),
        ...withPrefix("text_encoders.qwen3_4b.transformer.", own.textEncoder),
      },
      "whole.safetensors",
    );
    const files = { transformer: whole, vae: whole, textEncoder: whole };
    expectSame(await run(folderOf(name), files), await run(folderOf(name)));
  });

  it("are the same in GGUF files", async () => {
    const { original } = await layoutsOf(name);
    const files = {
      transformer: await write(original.transformer, "flux2.gguf"),
      vae: await write(original.vae, "ae.gguf"),
      textEncoder: await write(original.textEncoder, "qwen.gguf"),
    };
    expectSame(await run(folderOf(name), files), await run(folderOf(name)));
  });

  it("are the same where the text encoder's folder has shards", async () => {
    const folder = path.join(await temporaryFolder(), name);
    await cp(folderOf(name), folder, { recursive: true });
    const whole = path.join(folder, FILES.textEncoder);
    const entries = Object.entries(await readStored(whole));
    await rm(whole);
    // As the published folder is divided: within a layer, and the table and the last norm in different shards.
    const cut = Math.floor(entries.length / 2);
    const map: Record<string, string> = {};
    for (const [index, part] of [entries.slice(0, cut), entries.slice(cut)].entries()) {
      const file = `model-0000${index + 1}-of-00002.safetensors`;
      await writeSafetensors(path.join(folder, "text_encoder", file), Object.fromEntries(part));
      for (const [key] of part) map[key] = file;
    }
    const index = path.join(folder, "text_encoder", "model.safetensors.index.json");
    await writeFile(index, JSON.stringify({ metadata: { total_size: 0 }, weight_map: map }));
    expect(new Set(Object.values(map)).size).toBe(2);
    expectSame(await run(folder), await run(folderOf(name)));
    await rm(path.join(folder, "text_encoder", "model-00002-of-00002.safetensors"));
    await expect(run(folder)).rejects.toEqual(
      refusal("CHECKPOINT_MISSING", /model-00002-of-00002\.safetensors/),
    );
  });

  it("are those of a variant where the folder has no other", async () => {
    const folder = path.join(await temporaryFolder(), name);
    await cp(folderOf(name), folder, { recursive: true });
    for (const file of Object.values(FILES)) {
      await rename(path.join(folder, file), path.join(folder, file.replace(/(\w+)$/, "bf16.$1")));
    }
    expectSame(await run(folder), await run(folderOf(name)));
  });

  it("in scaled fp8 are the numbers that it stands for", async () => {
    const { original, own } = await layoutsOf(name);
    const [transformer, textEncoder] = [asScaledFp8(original.transformer), asScaledFp8(own.textEncoder)];
    const found = await run(folderOf(name), {
      transformer: await write(transformer.fp8, "fp8.safetensors"),
      textEncoder: await write(textEncoder.fp8, "qwen-fp8.safetensors"),
    });
    const expected = await run(folderOf(name), {
      transformer: await write(transformer.exact, "exact.safetensors"),
      textEncoder: await write(textEncoder.exact, "qwen-exact.safetensors"),
    });
    const exact = await run(folderOf(name));
    for (const stage of ["promptEmbeds", "velocity"] as const) {
      expect(difference(found[stage], expected[stage]).relative, stage).toBeLessThanOrEqual(1e-5);
      expect(difference(found[stage], exact[stage]).relative, stage).toBeGreaterThan(1e-3);
    }
  });
});

describe("a file is refused as what it is", () => {
  const open = (files: SingleFiles) => run(folderOf("plain"), files);
  const flux1 = (name: string): string => path.join(fixtures, "single-files", `${name}.safetensors`);

  it.each([
    ["transformer", "plain", "is a transformer of FLUX.1, and one of FLUX.2 is wanted"],
    ["vae", "plain-ae", "is an autoencoder of FLUX.1, and one of FLUX.2 is wanted"],
    ["textEncoder", "plain", "is a transformer, and a Qwen3 language model is wanted"],
    ["transformer", "plain-ae", "is an autoencoder, and a transformer is wanted"],
  ] as const)("given for the %s: %s", async (option, name, sentence) => {
    const file = flux1(name);
    await expect(open({ [option]: file })).rejects.toEqual(
      refusal("CHECKPOINT_INVALID", `The weights file ${file} ${sentence}.`),
    );
  });

  it("in a folder", async () => {
    const folder = path.join(await temporaryFolder(), "mixed");
    await cp(folderOf("plain"), folder, { recursive: true });
    const file = path.join(folder, FILES.vae);
    await rm(file);
    await cp(path.join(fixtures, "checkpoints/plain", FILES.vae), file);
    await expect(run(folder)).rejects.toEqual(
      refusal(
        "CHECKPOINT_INVALID",
        `The weights file ${file} is an autoencoder of FLUX.1, and one of FLUX.2 is wanted.`,
      ),
    );
  });

  const plain = (component: string): string => path.join(folderOf("plain"), component);

  it("of other channels than the transformer", async () => {
    const vae = path.join(fixtures, "flux2-autoencoders", "small-decoder-original.safetensors");
    await expect(open({ vae })).rejects.toEqual(
      refusal(
        "CHECKPOINT_INVALID",
        `The transformer in ${plain("transformer")} has 16 channels and the autoencoder in ${vae} 3; four times as many are wanted.`,
      ),
    );
  });

  it("for other text embeddings than the text encoder's", async () => {
    const { own } = await layoutsOf("plain");
    const key = "context_embedder.weight";
    const shape = [own.transformer[key]!.shape[0]!, 60];
    const other = float32(wave(shape[0]! * 60), shape);
    const transformer = await write({ ...own.transformer, [key]: other }, "flux2.safetensors");
    await expect(open({ transformer })).rejects.toEqual(
      refusal(
        "CHECKPOINT_INVALID",
        new RegExp(
          `^The transformer in ${transformer} is for text embeddings of 60 numbers, and the text encoder in ${plain("text_encoder")} gives \\d+: 3 layers of \\d+\\.$`,
        ),
      ),
    );
  });
});

/** A checkpoint wide enough for blocks of 128 numbers: `plain` with other sizes, and weights that follow from their names. */
async function wideCheckpoint(): Promise<string> {
  const folder = path.join(await temporaryFolder(), "wide");
  await cp(folderOf("plain"), folder, { recursive: true });
  const change = async (component: string, fields: Record<string, unknown>): Promise<Config> => {
    const file = path.join(folder, component, "config.json");
    const { fields: old } = await Config.read(file);
    await writeFile(file, JSON.stringify({ ...old, ...fields }));
    return Config.read(file);
  };
  const text = await change("text_encoder", {
    hidden_size: 128,
    intermediate_size: 256,
    num_attention_heads: 2,
    num_key_value_heads: 1,
    head_dim: 64,
    // Of whole files, none of whose layers is left out.
    num_hidden_layers: 27,
    layer_types: null,
  });
  const transformer = await change("transformer", {
    num_attention_heads: 2,
    attention_head_dim: 64,
    axes_dims_rope: [16, 16, 16, 16],
    joint_attention_dim: 3 * 128,
    num_layers: 1,
    num_single_layers: 1,
  });
  const flux2 = readFlux2Config(transformer);
  await writeMadeUp(path.join(folder, FILES.transformer), [
    (weights) => flux2Transformer(flux2, weights, { textLength: LENGTH }),
    (weights) => flux2Modulation(flux2, weights, { isGuided: false }),
  ]);
  const qwen3 = readQwen3Config(text);
  await writeMadeUp(path.join(folder, FILES.textEncoder), [
    (weights) => qwen3Encoder(qwen3, weights, { length: LENGTH, layers: [9, 18, 27] }),
  ]);
  return folder;
}

async function writeMadeUp(file: string, builds: readonly Build[]): Promise<void> {
  const requested = builds.flatMap((build) => Array.from(requestedWeights(build)));
  const tensors = requested.map(([key, { shape }]) => {
    const count = shape.reduce((size, dim) => size * dim, 1);
    // Matrices keep the size of what they multiply; vectors are factors of norms.
    const values = Array.from(numbers(key, count), (value) =>
      shape.length === 1 ? 1 + value / 4 : value * Math.sqrt(3 / shape[1]!),
    );
    return [key, float32(values, [...shape])] as const;
  });
  await writeSafetensors(file, Object.fromEntries(tensors));
}

it("an autoencoder of a single file has the attention of its levels", async () => {
  const folder = path.join(await temporaryFolder(), "attentive");
  await cp(folderOf("plain"), folder, { recursive: true });
  const file = path.join(folder, "vae", "config.json");
  const { fields } = await Config.read(file);
  const kinds = {
    down_block_types: [0, 1, 2, 3].map((level) => `${level === 2 ? "Attn" : ""}DownEncoderBlock2D`),
    up_block_types: [0, 1, 2, 3].map((level) => `${level === 0 ? "Attn" : ""}UpDecoderBlock2D`),
  };
  await writeFile(file, JSON.stringify({ ...fields, ...kinds }));
  const config = readFlux2AutoencoderConfig(await Config.read(file));
  await writeMadeUp(path.join(folder, FILES.vae), [
    (weights) => flux2AutoencoderEncoder(config, weights),
    (weights) => flux2AutoencoderDecoder(config, weights),
  ]);
  const single = await write(await readStored(path.join(folder, FILES.vae)), "vae.safetensors");
  expectSame(await run(folder, { vae: single }), await run(folder));
});

describe("networks in quantised GGUF files", () => {
  it("are the numbers that the blocks stand for, and stay in few bits unless more are asked for", async () => {
    const folder = await wideCheckpoint();
    const { original, own } = await layoutsOf("wide", folder);
    // As ComfyUI's users have them: most in four bits, the modulation and what leads in and out in eight.
    const transformer = asBlocks(original.transformer, (key) =>
      /^(?:double|single)_blocks\./.test(key) ? "Q4_0" : "Q8_0",
    );
    const textEncoder = asBlocks(original.textEncoder, () => "Q8_0");
    const types = new Set(Object.values(transformer.blocks).map(({ dtype }) => dtype));
    expect([...types].toSorted()).toEqual(["F32", "Q4_0", "Q8_0"]);
    const files = {
      transformer: await write(transformer.blocks, "flux-2-klein-Q4_0.gguf"),
      textEncoder: await write(textEncoder.blocks, "qwen3-Q8_0.gguf"),
    };
    const numbersOfBlocks = await run(
      folder,
      {
        transformer: await write(transformer.exact, "flux2.safetensors"),
        textEncoder: await write(asBlocks(own.textEncoder, () => "Q8_0").exact, "qwen.safetensors"),
      },
      { weights: "fp32" },
    );
    expectSame(await run(folder, files, { weights: "fp32" }), numbersOfBlocks);
    const exact = await run(folder, {}, { weights: "fp32" });
    expect(difference(numbersOfBlocks.velocity, exact.velocity).relative).toBeGreaterThan(1e-3);
    const auto = await run(folder, files);
    for (const stage of ["promptEmbeds", "velocity"] as const) {
      expect(difference(auto[stage], numbersOfBlocks[stage]).relative, stage).toBeLessThan(0.1);
    }
  });
});

describe("networks in few bits", () => {
  it("are close to those of the folder, and far closer in 8 than in 4", async () => {
    const folder = await wideCheckpoint();
    const exact = await run(folder);
    const errorsOf = async (weights: "bf16" | "int8" | "int4") => {
      const found = await run(folder, {}, { weights });
      return {
        promptEmbeds: difference(found.promptEmbeds, exact.promptEmbeds).relative,
        velocity: difference(found.velocity, exact.velocity).relative,
      };
    };
    const [half, eight, four] = [await errorsOf("bf16"), await errorsOf("int8"), await errorsOf("int4")];
    // Seen through 27 layers of random weights: 0.009, 0.03 and 0.29 of the text, 0.003, 0.008 and 0.05 of the velocity.
    for (const stage of ["promptEmbeds", "velocity"] as const) {
      expect(half[stage], `${stage} in bf16`).toBeLessThan(0.02);
      expect(eight[stage], `${stage} in int8`).toBeLessThan(0.05);
      expect(four[stage], `${stage} in int4`).toBeLessThan(0.5);
      expect(eight[stage]).toBeLessThan(four[stage] / 4);
      expect(eight[stage]).toBeGreaterThan(1e-4);
    }
  });
});
