import { readdirSync } from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Planes, runInTiles } from "../../../src/engine/tiles.ts";
import {
  flux2AutoencoderDecoder,
  flux2AutoencoderEncoder,
} from "../../../src/models/autoencoders/autoencoder-kl-flux2.ts";
import { readFlux2AutoencoderConfig } from "../../../src/models/autoencoders/flux2-autoencoder-config.ts";
import { loadSession } from "../../../src/runtime/load.ts";
import type { Config } from "../../../src/weights/config.ts";
import { type WeightScope, WeightSet } from "../../../src/weights/weight-set.ts";
import { difference } from "../../support/compare.ts";
import { fixtures, type FixtureTensor, readTensors } from "../../support/fixtures.ts";
import { describeWeights, readNetwork } from "../../support/weights.ts";

const FOLDER = "flux2-autoencoders";
const NAMES = ["flat", "odd", "small-decoder", "usual"];
/** Both graphs, which share some weights. */
const build = (config: Config, weights: WeightScope, again = weights) => {
  const sizes = readFlux2AutoencoderConfig(config);
  return {
    encoder: flux2AutoencoderEncoder(sizes, weights),
    decoder: flux2AutoencoderDecoder(sizes, again),
  };
};

/** The two halves of a fixture's autoencoder as functions, its tensors, and what releases it. */
async function load(name: string) {
  const { config, tensors: stored } = await readNetwork(`${FOLDER}/${name}`);
  const weights = new WeightSet("vae", stored);
  const graphs = build(config, weights.scope(), weights.scope());
  const encoder = await loadSession(graphs.encoder, weights, { threads: 1 });
  const decoder = await loadSession(graphs.decoder, weights, { threads: 1 });
  const tensors = await readTensors(`${FOLDER}/${name}/tensors.safetensors`);
  return {
    tensorOf: (key: string) => tensors.get(key) as Floats,
    encode: async (pixels: Floats) => (await encoder.run({ pixels })).latents as Floats,
    decode: async (latents: Floats) => (await decoder.run({ latents })).pixels as Floats,
    dispose: () => Promise.all([encoder.dispose(), decoder.dispose()]),
  };
}

type Floats = FixtureTensor & { data: Float32Array };
type Loaded = Awaited<ReturnType<typeof load>>;

function expectNear(actual: Floats, expected: Floats): void {
  expect(actual.shape).toEqual(expected.shape);
  expect(difference(actual.data, expected.data).relative).toBeLessThan(1e-5);
}

describe.each(NAMES)("the FLUX.2 autoencoder %s", (name) => {
  let vae: Loaded;
  beforeAll(async () => (vae = await load(name)));
  afterAll(() => vae.dispose());

  it("encodes as diffusers' pipeline does", async () => {
    expectNear(await vae.encode(vae.tensorOf("pixels")), vae.tensorOf("latents"));
  });

  it("decodes as diffusers' pipeline does", async () => {
    expectNear(await vae.decode(vae.tensorOf("noise")), vae.tensorOf("decoded"));
  });
});

describe("the FLUX.2 autoencoder in tiles", () => {
  const side = { pixels: 8, cells: 4 };
  let vae: Loaded;
  beforeAll(async () => (vae = await load("flat")));
  afterAll(() => vae.dispose());

  const planesOf = ({ data, shape }: Floats): Planes => {
    const [, channels, height, width] = shape as [number, number, number, number];
    return { data, channels, width, height };
  };
  const tensorOf = ({ data, channels, width, height }: Planes): Floats => ({
    data,
    shape: [1, channels, height, width],
  });

  it("encodes as diffusers' does with enable_tiling()", async () => {
    const sides = { input: side.pixels, output: side.cells, patch: 2 };
    const whole = planesOf(vae.tensorOf("tiled.pixels"));
    const encoded = await runInTiles(whole, sides, async (tile) =>
      planesOf(await vae.encode(tensorOf(tile))),
    );
    expectNear(tensorOf(encoded), vae.tensorOf("tiled.latents"));
  });

  it("decodes as diffusers' does with enable_tiling()", async () => {
    const sides = { input: side.cells, output: side.pixels };
    const whole = planesOf(vae.tensorOf("tiled.noise"));
    const decoded = await runInTiles(whole, sides, async (tile) =>
      planesOf(await vae.decode(tensorOf(tile))),
    );
    expectNear(tensorOf(decoded), vae.tensorOf("tiled.decoded"));
  });
});

it("has fixtures of every autoencoder that is tested", () => {
  expect(readdirSync(path.join(fixtures, FOLDER)).toSorted()).toEqual(NAMES);
});

describeWeights(
  "vae",
  (config, weights, again) => {
    const { encoder, decoder } = build(config, weights, again);
    return { ...encoder, ...decoder };
  },
  {
    folders: NAMES.map((name) => `${FOLDER}/${name}`),
    isOptional: (key) => key === "bn.num_batches_tracked",
  },
);
