/**
 * One velocity and one trip through the autoencoder from single files: the same bits as from the folder, since the bytes
 * are the same; from fp8, what the reference gives with weights that it widens in the same way.
 */
import { cp, readFile, rename, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import type { ErrorCode } from "../../src/errors.ts";
import { createEngine } from "../../src/engine/engine.ts";
import { readKontext } from "../../src/pipelines/flux1-kontext/checkpoint.ts";
import type { Prompt } from "../../src/pipelines/flux1-kontext/prompt.ts";
import { loadNetworks } from "../../src/pipelines/flux1-kontext/model.ts";
import { Checkpoint, type SingleFiles } from "../../src/weights/checkpoint.ts";
import { difference } from "../support/compare.ts";
import { fixtures, type FixtureTensor, readTensors } from "../support/fixtures.ts";
import { ggufOf } from "../support/gguf.ts";
import { refusal } from "../support/refusal.ts";
import {
  changeSafetensors,
  float32,
  readStored,
  type TensorFields,
  writeSafetensors,
} from "../support/safetensors.ts";
import { copyOfCheckpoint, temporaryFolder } from "../support/temporary.ts";
import { firstVelocity } from "../support/velocity.ts";

const FP8_TOLERANCE = 1e-5;
const fileOf = (name: string): string => path.join(fixtures, "single-files", `${name}.safetensors`);
const folderOf = (name: string): string => path.join(fixtures, "checkpoints", name);

const TRANSFORMER = path.join("transformer", "diffusion_pytorch_model.safetensors");

const CASES = {
  plain: { width: 64, height: 64, guidance: 2.5 },
  odd: { width: 64, height: 64, guidance: 2.5 },
} as const;

/** What the networks of a folder, some of them replaced, make of the first step and the picture of its case. */
async function run(
  name: keyof typeof CASES,
  files: SingleFiles = {},
  folder = folderOf(name),
  cacheFolder?: string,
) {
  const tensors = await readTensors(`cases/${name}-square.safetensors`);
  const networks = await loadNetworks(await Checkpoint.open(folder, files), { threads: 1 }, { cacheFolder });
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

  it.each(["plain-fp8", "plain-fp8-scaled", "plain-fp8-rows"])(
    "gives the reference's velocity: %s",
    async (name) => {
      const { velocity } = await run("plain", { transformer: fileOf(name) });
      const expected = velocities.get(name)!.data as Float32Array;
      const { relative } = difference(velocity, expected);
      expect(relative, `relative error ${relative.toExponential(1)}`).toBeLessThanOrEqual(FP8_TOLERANCE);
      // The rounding to fp8 itself is far from invisible.
      const exact = difference(expected, velocities.get("plain")!.data as Float32Array).relative;
      expect(exact).toBeGreaterThan(1000 * FP8_TOLERANCE);
    },
  );
});

describe("an fp8 folder", () => {
  /** A copy of `plain` whose transformer's matrices are whole numbers of fp8 times factors: per row, or one for all. */
  async function fp8Folder(scaleShape: (rows: number) => number[], name: string): Promise<string> {
    const folder = await copyOfCheckpoint("plain");
    await changeSafetensors(path.join(folder, TRANSFORMER), (tensors) => {
      for (const [key, { shape }] of Object.entries(tensors)) {
        if (shape.length !== 2) continue;
        const [rows, columns] = shape as [number, number];
        // E4M3 from 1/8 to 15/8, of either sign.
        const bytes = Uint8Array.from(
          { length: rows * columns },
          (_, at) => ((at * 37) % 32) + 32 + (at % 3 === 0 ? 128 : 0),
        );
        const factors = scaleShape(rows).reduce((product, dim) => product * dim, 1);
        const scales = Array.from({ length: factors }, (_, row) => (1 + (row % 5)) / 64);
        tensors[key] = { dtype: "F8_E4M3", shape, bytes };
        tensors[`${key.slice(0, -".weight".length)}.${name}`] = float32(scales, scaleShape(rows));
      }
    });
    return folder;
  }

  it.each([
    ["of the rows", "weight_scale", (rows: number) => [rows]],
    ["of the rows [N, 1]", "weight_scale", (rows: number) => [rows, 1]],
    ["of whole matrices", "scale_weight", () => []],
  ] as const)(
    "gives the same bits as the same file given singly, with factors %s",
    async (_, name, shape) => {
      const folder = await fp8Folder((rows) => [...shape(rows)], name);
      const transformer = path.join(folder, "t.safetensors");
      await cp(path.join(folder, TRANSFORMER), transformer);
      const found = await run("plain", {}, folder);
      expect(found).toEqual(await run("plain", { transformer }, folder));
      expect(found.velocity.every(Number.isFinite)).toBe(true);
      expect(found.velocity).not.toEqual((await run("plain")).velocity);
    },
  );

  it("is refused where a factor fits neither its matrix nor the rows", async () => {
    const folder = await fp8Folder((rows) => [rows, 2], "weight_scale");
    await expect(run("plain", {}, folder)).rejects.toEqual(
      refusal(
        "CHECKPOINT_INVALID",
        / as F32 \[\d+, 2\] where one number or \d+, one for each row, is wanted\.$/,
      ),
    );
  });

  it("is refused where its configuration says that it is packed", async () => {
    const folder = await copyOfCheckpoint("plain");
    const config = path.join(folder, "text_encoder_2", "config.json");
    const fields = JSON.parse(await readFile(config, "utf8")) as object;
    await writeFile(config, JSON.stringify({ ...fields, quantization_config: { quant_method: "awq" } }));
    await expect(readKontext(await Checkpoint.open(folder))).rejects.toEqual(
      refusal("CHECKPOINT_UNSUPPORTED", new RegExp(`^In ${config}, quantization_config .* by "awq", `)),
    );
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
      tensors["other.weight"] = tensors["shared.weight"]!;
    });
    await expect(encode(checkpoint)).rejects.toEqual(
      refusal("CHECKPOINT_INVALID", / holds other\.weight, for which the network has no place\.$/),
    );
    await changeSafetensors(textEncoder, (tensors) => {
      delete tensors["shared.weight"];
    });
    await expect(encode(checkpoint)).rejects.toEqual(
      refusal("CHECKPOINT_INVALID", / lacks the weight shared\.weight \[\d+, 24\]\.$/),
    );
  });
});

/** The tensors of a file of a checkpoint, with a prefix before each key. */
async function tensorsWith(prefix: string, file: string): Promise<Record<string, TensorFields>> {
  const tensors = await readStored(file);
  return Object.fromEntries(Object.entries(tensors).map(([key, tensor]) => [`${prefix}${key}`, tensor]));
}

describe("a file of a whole model", () => {
  const weightsIn = (folder: string, component: string): string =>
    path.join(
      folder,
      component,
      component.startsWith("text") ? "model.safetensors" : "diffusion_pytorch_model.safetensors",
    );
  const PREFIXES = {
    [fileOf("plain")]: "model.diffusion_model.",
    [fileOf("plain-ae")]: "vae.",
    [weightsIn(folderOf("plain"), "text_encoder")]: "text_encoders.clip_l.transformer.",
    [weightsIn(folderOf("plain"), "text_encoder_2")]: "text_encoders.t5xxl.transformer.",
  };
  /** Writes one into `folder`, with the keys beside the networks that such files have. */
  async function writeWhole(folder: string): Promise<string> {
    const file = path.join(folder, "whole.safetensors");
    const all = await Promise.all(
      Object.entries(PREFIXES).map(([from, prefix]) => tensorsWith(prefix, from)),
    );
    const extra = float32([1], [1]);
    await writeSafetensors(file, {
      ...Object.assign({}, ...all),
      "text_encoders.clip_l.logit_scale": extra,
      "text_encoders.clip_l.transformer.text_projection.weight": extra,
      "text_encoders.t5xxl.logit_scale": extra,
      "text_encoders.t5xxl.transformer.scaled_fp8": extra,
    });
    return file;
  }
  async function prompt(folder: string, files: SingleFiles): Promise<Prompt> {
    const networks = await loadNetworks(await Checkpoint.open(folder, files), { threads: 1 });
    const encoded = await networks.encodePrompt({ prompt: "a red bird" });
    await networks.dispose();
    return encoded;
  }

  it("gives each network that it is given for, and the same bits", async () => {
    const folder = await copyOfCheckpoint("plain");
    const whole = await writeWhole(folder);
    const files = { transformer: whole, vae: whole, textEncoder: whole };
    const [expected, found] = [await run("plain"), await run("plain", files, folder)];
    expect(found).toEqual(expected);
    expect(await prompt(folder, files)).toEqual(await prompt(folder, {}));
  });

  it("says which of its weights no network uses", async () => {
    const folder = await copyOfCheckpoint("plain");
    const whole = await writeWhole(folder);
    const checkpoint = await Checkpoint.open(folder, { transformer: whole, vae: whole, textEncoder: whole });
    await readKontext(checkpoint);
    const [clip, t5] = ["text_encoders.clip_l.", "text_encoders.t5xxl."];
    const rest = "for which its configuration has no place.";
    const is = `${whole}: the network does without`;
    expect(checkpoint.notices.toSorted()).toEqual([
      `${is} ${clip}logit_scale, ${clip}transformer.text_projection.weight, ${rest}`,
      `${is} ${t5}logit_scale, ${rest}`,
    ]);
  });

  it("gives what a folder without weights lacks, whichever network it is given for", async () => {
    const folder = await copyOfCheckpoint("plain");
    const transformer = await writeWhole(folder);
    const expected = await prompt(folder, {});
    for (const component of ["transformer", "vae", "text_encoder", "text_encoder_2"]) {
      await rm(weightsIn(folder, component));
    }
    expect(await run("plain", { transformer }, folder)).toEqual(await run("plain"));
    expect(await prompt(folder, { transformer })).toEqual(expected);
  });

  it("is taken for a folder that has weights only where it is given", async () => {
    const folder = await copyOfCheckpoint("plain");
    const transformer = await writeWhole(folder);
    await changeSafetensors(weightsIn(folder, "vae"), (tensors) => {
      tensors["encoder.conv_in.bias"]!.bytes.fill(0);
    });
    const [own, whole] = [await run("plain", { transformer }, folder), await run("plain")];
    expect(own.velocity).toEqual(whole.velocity);
    expect(own.latents).not.toEqual(whole.latents);
  });
});

describe("a single file in diffusers' own layout", () => {
  it.each([
    ["plain", ""],
    ["odd", "model.diffusion_model."],
  ] as const)("gives the same bits as the folder: %s, with the prefix %j", async (name, prefix) => {
    const folder = await copyOfCheckpoint(name);
    const [transformer, vae] = [path.join(folder, "t.safetensors"), path.join(folder, "v.safetensors")];
    for (const [file, component, before] of [
      [transformer, "transformer", prefix],
      [vae, "vae", prefix && "first_stage_model."],
    ] as const) {
      const from = path.join(folder, component, "diffusion_pytorch_model.safetensors");
      await writeSafetensors(file, await tensorsWith(before, from));
      await rm(from);
    }
    expect(await run(name, { transformer, vae }, folder)).toEqual(await run(name));
  });
});

describe("an autoencoder in a GGUF file", () => {
  it.each([
    ["of the original repository, with a prefix", "first_stage_model.", fileOf("plain-ae")],
    ["of diffusers", "", path.join(folderOf("plain"), "vae", "diffusion_pytorch_model.safetensors")],
  ])("gives the same bits as the folder, with the keys %s", async (_, prefix, from) => {
    const stored = Object.entries(await tensorsWith(prefix, from));
    const data = Buffer.concat(
      stored.flatMap(([, { bytes }]) => [bytes, Buffer.alloc((32 - (bytes.length % 32)) % 32)]),
    );
    let offset = 0;
    const tensors = stored.map(([name, { shape, bytes }]) => {
      const start = offset;
      offset += Math.ceil(bytes.length / 32) * 32;
      return { name, dims: shape.toReversed(), code: 0, offset: start };
    });
    const cacheFolder = await temporaryFolder();
    const vae = path.join(cacheFolder, "vae.gguf");
    await writeFile(vae, ggufOf(tensors, { data }));
    expect(await run("plain", { vae }, folderOf("plain"), cacheFolder)).toEqual(await run("plain"));
  });
});

describe("a file is refused as what it is", () => {
  const open = async (files: SingleFiles, folder = folderOf("plain")): Promise<unknown> =>
    readKontext(await Checkpoint.open(folder, files));
  const refused = (file: string, what: string, code: ErrorCode = "CHECKPOINT_INVALID"): unknown =>
    refusal(code, `The weights file ${file} ${what}.`);

  it.each([
    ["loras/peft", "transformer", "is a LoRA, and a transformer is wanted"],
    ["loras/kohya", "transformer", "is a LoRA, and a transformer is wanted"],
    ["loras/xlabs", "transformer", "is a LoRA, and a transformer is wanted"],
    ["loras/control", "vae", "is a LoRA, and an autoencoder is wanted"],
    ["single-files/plain-ae", "transformer", "is an autoencoder, and a transformer is wanted"],
    ["single-files/plain", "vae", "is a transformer, and an autoencoder is wanted"],
    ["single-files/odd-comfy", "textEncoder", "holds a transformer, and a T5 encoder is wanted"],
    ["noise", "transformer", "is not known as a transformer: it holds n"],
  ])("%s for the %s", async (name, option, what) => {
    const file = path.join(fixtures, `${name}.safetensors`);
    const error = await open({ [option]: file }).catch((cause: unknown) => cause);
    expect(error).toEqual(refusal("CHECKPOINT_INVALID", /\.$/));
    expect((error as Error).message).toContain(`The weights file ${file} ${what}`);
  });

  it("with a prefix that nobody knows", async () => {
    const file = path.join(await temporaryFolder(), "net.safetensors");
    await writeSafetensors(file, await tensorsWith("net.", fileOf("plain")));
    await expect(open({ transformer: file })).rejects.toEqual(
      refused(file, "has the keys of a transformer under the prefix net., which is not known"),
    );
  });

  it.each(["single file", "folder"])("with weights packed by bitsandbytes, as a %s", async (place) => {
    const folder = await copyOfCheckpoint("plain");
    const file = path.join(folder, "transformer", "diffusion_pytorch_model.safetensors");
    await changeSafetensors(file, (tensors) => {
      tensors["proj_out.weight.quant_state.bitsandbytes__nf4"] = float32([1]);
    });
    const files = place === "folder" ? {} : { transformer: file };
    const types = "F64, F32, F16, BF16, F8_E4M3, F8_E5M2, whole numbers and BOOL can be read";
    await expect(open(files, folder)).rejects.toEqual(
      refused(file, `has its matrices packed as NF4 by bitsandbytes; ${types}`, "CHECKPOINT_UNSUPPORTED"),
    );
  });

  it("with the original repository's keys in a folder", async () => {
    const folder = await copyOfCheckpoint("plain");
    const file = path.join(folder, "transformer", "diffusion_pytorch_model.safetensors");
    await cp(fileOf("plain"), file);
    await expect(open({}, folder)).rejects.toEqual(
      refused(
        file,
        "has the keys of the original transformer, which a folder cannot have; it can be given as a single file",
      ),
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
