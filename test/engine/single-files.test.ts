/**
 * One velocity and one trip through the autoencoder from single files: the same bits as from the folder, since the bytes
 * are the same; from fp8, what the reference gives with weights that it widens in the same way.
 */
import { rename, rm } from "node:fs/promises";
import path from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { createEngine } from "../../src/engine/engine.ts";
import { loadNetworks } from "../../src/pipelines/flux1-kontext/model.ts";
import { Checkpoint, type SingleFiles } from "../../src/weights/checkpoint.ts";
import { difference } from "../support/compare.ts";
import { fixtures, type FixtureTensor, readTensors } from "../support/fixtures.ts";
import { refusal } from "../support/refusal.ts";
import { changeSafetensors } from "../support/safetensors.ts";
import { copyOfCheckpoint } from "../support/temporary.ts";
import { firstVelocity } from "../support/velocity.ts";

const FP8_TOLERANCE = 1e-5;
const fileOf = (name: string): string => path.join(fixtures, "single-files", `${name}.safetensors`);
const folderOf = (name: string): string => path.join(fixtures, "checkpoints", name);

const CASES = {
  plain: { width: 64, height: 64, guidance: 2.5 },
  odd: { width: 64, height: 64, guidance: 2.5 },
} as const;

/** What the networks of a folder, some of them replaced, make of the first step and the picture of its case. */
async function run(name: keyof typeof CASES, files: SingleFiles = {}, folder = folderOf(name)) {
  const tensors = await readTensors(`cases/${name}-square.safetensors`);
  const networks = await loadNetworks(await Checkpoint.open(folder, files), { threads: 1 });
  const { width, height, guidance } = CASES[name];
  const velocity = await firstVelocity(networks, tensors, guidance);
  const size = { width, height };
  const latents = await networks.encodePixels(tensors.get("referencePixels")!.data as Float32Array, size);
  const pixels = await networks.decodeLatents(latents, networks.latentSize(size));
  await networks.dispose();
  return { velocity, latents, pixels };
}

describe.each([
  ["plain", "plain", "plain-ae", "float32"],
  ["odd", "odd-comfy", "odd-ae", "bfloat16, with the prefix of ComfyUI"],
] as const)("single files of %s", (name, transformer, vae, type) => {
  it(`give the same bits as the folder, in ${type}`, async () => {
    const expected = await run(name);
    const found = await run(name, { transformer: fileOf(transformer), vae: fileOf(vae) });
    expect(expected.velocity.some((value) => value !== 0)).toBe(true);
    for (const stage of ["velocity", "latents", "pixels"] as const) {
      expect(found[stage].length).toBeGreaterThan(0);
      expect(Buffer.compare(bytesOf(found[stage]), bytesOf(expected[stage])), stage).toBe(0);
    }
  });
});

const bytesOf = ({ buffer, byteOffset, byteLength }: Float32Array): Buffer =>
  Buffer.from(buffer, byteOffset, byteLength);

describe("an fp8 file", () => {
  let velocities: Map<string, FixtureTensor>;
  beforeAll(async () => {
    velocities = await readTensors("single-files/velocities.safetensors");
  });

  it.each(["plain-fp8", "plain-fp8-scaled"])("gives the reference's velocity: %s", async (name) => {
    const { velocity } = await run("plain", { transformer: fileOf(name) });
    const expected = velocities.get(name)!.data as Float32Array;
    const { relative } = difference(velocity, expected);
    expect(relative, `relative error ${relative.toExponential(1)}`).toBeLessThanOrEqual(FP8_TOLERANCE);
    // The rounding to fp8 itself is far from invisible.
    const exact = difference(expected, velocities.get("plain")!.data as Float32Array).relative;
    expect(exact).toBeGreaterThan(1000 * FP8_TOLERANCE);
  });
});

describe("a text encoder's single file", () => {
  const TABLES = {
    "shared.weight": ["shared.weight"],
    "encoder.embed_tokens.weight": ["encoder.embed_tokens.weight"],
    "both names": ["shared.weight", "encoder.embed_tokens.weight"],
  };
  const encode = async (checkpoint: Checkpoint): Promise<Float32Array> => {
    const networks = await loadNetworks(checkpoint, { threads: 1 });
    const { promptEmbeds } = await networks.encodePrompt({ prompt: "a red bird" });
    await networks.dispose();
    return promptEmbeds.data as Float32Array;
  };

  it.each(Object.entries(TABLES))(
    "gives the same bits as the folder, its table under %s",
    async (_, names) => {
      const folder = await copyOfCheckpoint("plain");
      const weights = path.join(folder, "text_encoder_2", "model.safetensors");
      const expected = await encode(await Checkpoint.open(folder));
      const textEncoder = path.join(folder, "t5xxl.safetensors");
      await rename(weights, textEncoder);
      await changeSafetensors(textEncoder, (tensors) => {
        const table = tensors["shared.weight"]!;
        delete tensors["shared.weight"];
        for (const name of names) tensors[name] = table;
      });
      const found = await encode(await Checkpoint.open(folder, { textEncoder }));
      expect(expected.some((value) => value !== 0)).toBe(true);
      expect(Buffer.compare(bytesOf(found), bytesOf(expected))).toBe(0);
    },
  );

  it("is refused by the key that it lacks, or that is not T5's", async () => {
    const folder = await copyOfCheckpoint("plain");
    const textEncoder = path.join(folder, "text_encoder_2", "model.safetensors");
    const checkpoint = await Checkpoint.open(folder, { textEncoder });
    await changeSafetensors(textEncoder, (tensors) => {
      tensors["lm_head.weight"] = tensors["shared.weight"]!;
    });
    await expect(encode(checkpoint)).rejects.toEqual(
      refusal("CHECKPOINT_INVALID", / holds lm_head\.weight, for which the network has no place\.$/),
    );
    await changeSafetensors(textEncoder, (tensors) => {
      delete tensors["shared.weight"];
    });
    await expect(encode(checkpoint)).rejects.toEqual(
      refusal("CHECKPOINT_INVALID", / lacks the weight shared\.weight \[\d+, 24\]\.$/),
    );
  });
});

describe("a folder", () => {
  it("need not have the weights that single files stand in for", async () => {
    const folder = await copyOfCheckpoint("plain");
    for (const component of ["transformer", "vae"]) {
      await rm(path.join(folder, component, "diffusion_pytorch_model.safetensors"));
    }
    const { velocity } = await run(
      "plain",
      { transformer: fileOf("plain"), vae: fileOf("plain-ae") },
      folder,
    );
    expect(velocity.length).toBeGreaterThan(0);
  });

  it("is refused with a transformer whose tokens are no patches of its latents", async () => {
    const transformer = fileOf("odd-comfy");
    await expect(createEngine({ checkpoint: folderOf("plain"), transformer })).rejects.toEqual(
      refusal("CHECKPOINT_INVALID", / has a transformer of 20 channels and an autoencoder of 4; /),
    );
  });
});

describe("an engine with a single file", () => {
  it("is called by the name of the transformer's file", async () => {
    const engine = await createEngine({
      checkpoint: folderOf("plain"),
      transformer: fileOf("plain-fp8"),
      vae: fileOf("plain-ae"),
      safety: { isOn: false },
    });
    expect(engine.checkpoint).toMatchObject({ name: "plain-fp8", isDemo: false });
    await engine.close();
  });
});
