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
import { Config } from "../../../src/weights/config.ts";
import { type WeightScope, WeightSet } from "../../../src/weights/weight-set.ts";
import { difference } from "../../support/compare.ts";
import { fixtures, type FixtureTensor, readTensors } from "../../support/fixtures.ts";
import { refusal } from "../../support/refusal.ts";
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
  const entries = readdirSync(path.join(fixtures, FOLDER), { withFileTypes: true });
  const folders = entries.filter((entry) => entry.isDirectory());
  expect(folders.map(({ name }) => name).toSorted()).toEqual(NAMES);
});

describe("the configuration of FLUX.2's autoencoder", () => {
  const fields = { block_out_channels: [8, 16], norm_num_groups: 2 };
  const types = {
    down_block_types: Array(2).fill("DownEncoderBlock2D"),
    up_block_types: Array(2).fill("UpDecoderBlock2D"),
  };
  const read = (more: Record<string, unknown>) =>
    readFlux2AutoencoderConfig(new Config("vae/config.json", { ...fields, ...types, ...more }));

  it("has the class's defaults, which are the published sizes", () => {
    expect(readFlux2AutoencoderConfig(new Config("vae/config.json", {}))).toMatchObject({
      widths: [128, 256, 512, 512],
      decoderWidths: [128, 256, 512, 512],
      latentChannels: 32,
      layersPerBlock: 2,
      batchNormEpsilon: 1e-4,
      scaleFactor: 8,
    });
  });

  it("gives the decoder the encoder's widths, unless it has its own", () => {
    for (const none of [undefined, null, []]) {
      expect(read({ decoder_block_out_channels: none }).decoderWidths).toEqual([8, 16]);
    }
    expect(read({ decoder_block_out_channels: [4, 6] })).toMatchObject({
      widths: [8, 16],
      decoderWidths: [4, 6],
    });
  });

  it.each<[Record<string, unknown>, string]>([
    [
      { decoder_block_out_channels: [4] },
      "decoder_block_out_channels must be a list of 2 widths, as block_out_channels is, and is [4].",
    ],
    [
      { decoder_block_out_channels: [4, 5] },
      "norm_num_groups (2) must divide all of decoder_block_out_channels (4, 5).",
    ],
    [{ batch_norm_eps: -1e-4 }, "batch_norm_eps must be a number from 0 to 1 and is -0.0001."],
    [{ batch_norm_eps: null }, "batch_norm_eps must be a number from 0 to 1 and is null."],
    [
      { down_block_types: undefined },
      "down_block_types must be a list of 2 block types, one for each of block_out_channels, and is missing.",
    ],
  ])("is refused with %o", (more, sentence) => {
    expect(() => read(more)).toThrow(refusal("CHECKPOINT_INVALID", `In vae/config.json, ${sentence}`));
  });

  it.each([[[1, 1]], [[4, 1]], [[2, 2, 2]], [2]])("is refused with patches of %o", (patch) => {
    expect(() => read({ patch_size: patch })).toThrow(
      refusal(
        "CHECKPOINT_UNSUPPORTED",
        `In vae/config.json, patch_size is ${JSON.stringify(patch)}; FLUX.2's pipelines work on patches of [2,2].`,
      ),
    );
  });
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
