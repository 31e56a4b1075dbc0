/** The original repository's layouts: every tensor of the published files has its place, and every weight of the network. */
import path from "node:path";
import { describe, expect, it } from "vitest";
import { readAutoencoderConfig } from "../../../src/models/autoencoders/autoencoder-config.ts";
import { autoencoderDecoder, autoencoderEncoder } from "../../../src/models/autoencoders/autoencoder-kl.ts";
import { fluxTransformer } from "../../../src/models/transformers/flux.ts";
import { readFluxConfig } from "../../../src/models/transformers/flux-config.ts";
import { fluxModulation } from "../../../src/models/transformers/flux-modulation.ts";
import { originalAutoencoderSizes } from "../../../src/models/layouts/autoencoder-sizes.ts";
import { originalAutoencoderLayout } from "../../../src/models/layouts/original-autoencoder.ts";
import { wantedOf } from "../../../src/models/layouts/file-networks.ts";
import { originalFluxLayout } from "../../../src/models/layouts/original-flux.ts";
import { originalFluxSizes } from "../../../src/models/layouts/transformer-sizes.ts";
import { Config } from "../../../src/weights/config.ts";
import { SingleFile } from "../../../src/weights/single-file.ts";
import type { LayoutEntry } from "../../../src/weights/tensor-file.ts";
import { fixtures, readJson } from "../../support/fixtures.ts";
import { writeSafetensors } from "../../support/safetensors.ts";
import { temporaryFolder } from "../../support/temporary.ts";
import { CHECKPOINTS, readComponent } from "../../support/weights.ts";

type Shapes = Record<string, number[]>;

const published = readJson<
  Record<"flux1-kontext-dev.safetensors" | "ae.safetensors" | "transformer" | "vae", Shapes>
>("single-files/published.json");
const flux = readFluxConfig(new Config("transformer/config.json", { guidance_embeds: true }));
const autoencoder = readAutoencoderConfig(
  new Config("vae/config.json", {
    block_out_channels: [128, 256, 512, 512],
    down_block_types: Array<string>(4).fill("DownEncoderBlock2D"),
    up_block_types: Array<string>(4).fill("UpDecoderBlock2D"),
    layers_per_block: 2,
    latent_channels: 16,
    use_quant_conv: false,
    use_post_quant_conv: false,
  }),
);

/** The file's keys and shapes of a layout; a key that stands twice is an error. */
function fileShapes(layout: readonly LayoutEntry[]): Shapes {
  expect(new Set(layout.map(({ key }) => key)).size).toBe(layout.length);
  return Object.fromEntries(layout.map(({ key, shape }) => [key, [...shape]]));
}

/** The network's. */
function networkShapes(layout: readonly LayoutEntry[]): Shapes {
  const parts = layout.flatMap((entry) => entry.parts);
  expect(new Set(parts.map(({ key }) => key)).size).toBe(parts.length);
  return Object.fromEntries(parts.map(({ key, shape }) => [key, [...shape]]));
}

const numbersOf = (shape: readonly number[]): number => shape.reduce((product, dim) => product * dim, 1);

describe.each([
  ["flux1-kontext-dev.safetensors", "transformer", originalFluxLayout(flux), 780, 1160],
  ["ae.safetensors", "vae", originalAutoencoderLayout(autoencoder), 244, 244],
] as const)("the published %s", (file, component, layout, numTensors, numWeights) => {
  it("has every tensor that the layout names, in its shape, and no other", () => {
    expect(Object.keys(published[file])).toHaveLength(numTensors);
    expect(fileShapes(layout)).toEqual(published[file]);
  });

  it("gives every weight of the published folder, in its shape, once", () => {
    expect(Object.keys(published[component])).toHaveLength(numWeights);
    expect(networkShapes(layout)).toEqual(published[component]);
  });

  it("is used to the last number", () => {
    for (const { key, shape, parts } of layout) {
      const used = parts.reduce((sum, part) => sum + numbersOf(part.shape), 0);
      expect(used, key).toBe(numbersOf(shape));
    }
  });
});

describe.each(CHECKPOINTS)("the layouts for the sizes of %s", (checkpoint) => {
  it.each([
    ["transformer", (config: Config) => originalFluxLayout(readFluxConfig(config))],
    ["vae", (config: Config) => originalAutoencoderLayout(readAutoencoderConfig(config))],
  ] as const)("give every weight of its %s", async (component, layoutOf) => {
    const { config, tensors } = await readComponent(checkpoint, component);
    const stored = Object.fromEntries([...tensors].map(([key, { shape }]) => [key, [...shape]]));
    expect(networkShapes(layoutOf(config))).toEqual(stored);
  });
});

describe("sizes read off a file", () => {
  const open = (name: string) =>
    SingleFile.open(
      path.join(fixtures, "single-files", `${name}.safetensors`),
      wantedOf("transformer", "FLUX.1"),
    );

  it.each([
    ["plain", "plain"],
    ["plain-fp8", "plain"],
    ["plain-fp8-scaled", "plain"],
    ["odd-comfy", "odd"],
  ])("are those of the folder: the transformer %s", async (name, checkpoint) => {
    const { config } = await readComponent(checkpoint, "transformer");
    expect(originalFluxSizes(await open(name), config)).toEqual(readFluxConfig(config));
  });

  it.each([
    ["plain-ae", "plain"],
    ["odd-ae", "odd"],
  ])("are those of the folder: the autoencoder %s", async (name, checkpoint) => {
    const { config } = await readComponent(checkpoint, "vae");
    expect(originalAutoencoderSizes(await open(name), config)).toEqual(readAutoencoderConfig(config));
  });

  it("are the published ones where no folder says more: groups, scaling and rotary axes", async () => {
    const folder = await temporaryFolder();
    const openShapes = async (name: "flux1-kontext-dev.safetensors" | "ae.safetensors") => {
      // A type that nobody knows needs no bytes: the headers of 24 GB without them.
      const tensors = Object.entries(published[name]).map(
        ([key, shape]) => [key, { dtype: "NONE", shape, bytes: new Uint8Array() }] as const,
      );
      await writeSafetensors(path.join(folder, name), Object.fromEntries(tensors));
      return SingleFile.open(path.join(folder, name), wantedOf("transformer", "FLUX.1"));
    };
    expect(originalFluxSizes(await openShapes("flux1-kontext-dev.safetensors"), undefined)).toEqual(flux);
    expect(originalAutoencoderSizes(await openShapes("ae.safetensors"), undefined)).toEqual({
      ...autoencoder,
      scalingFactor: 0.3611,
      shiftFactor: 0.1159,
    });
  });

  it("are refused where the rotary axes are not known", async () => {
    const file = await open("plain");
    expect(() => originalFluxSizes(file, undefined)).toThrow(
      `In ${file.file}, axes_dims_rope must be three even numbers with the sum attention_head_dim (12) and is [16,56,56].`,
    );
  });
});

describe("the graphs of a single file", () => {
  it("use each of its weights once", async () => {
    const transformer = await SingleFile.open(
      path.join(fixtures, "single-files/odd-comfy.safetensors"),
      wantedOf("transformer", "FLUX.1"),
    );
    const { config } = await readComponent("odd", "transformer");
    const sizes = originalFluxSizes(transformer, config);
    const weights = transformer.arrange("transformer", originalFluxLayout(sizes));
    fluxModulation(sizes, weights.scope());
    fluxTransformer(sizes, weights.scope(), { textLength: 8 });
    expect(weights.unusedKeys()).toEqual([]);

    const vae = await SingleFile.open(
      path.join(fixtures, "single-files/odd-ae.safetensors"),
      wantedOf("transformer", "FLUX.1"),
    );
    const vaeSizes = originalAutoencoderSizes(vae, (await readComponent("odd", "vae")).config);
    const vaeWeights = vae.arrange("vae", originalAutoencoderLayout(vaeSizes));
    autoencoderEncoder(vaeSizes, vaeWeights.scope());
    autoencoderDecoder(vaeSizes, vaeWeights.scope());
    expect(vaeWeights.unusedKeys()).toEqual([]);
  });
});
