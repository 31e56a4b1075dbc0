/** FLUX.2's autoencoder in the original layout: every tensor of the published files has its place. */
import { readFileSync } from "node:fs";
import path from "node:path";
import { gunzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import {
  flux2AutoencoderDecoder,
  flux2AutoencoderEncoder,
} from "../../../src/models/autoencoders/autoencoder-kl-flux2.ts";
import { readFlux2AutoencoderConfig } from "../../../src/models/autoencoders/flux2-autoencoder-config.ts";
import { requestedWeights } from "../../../src/models/count.ts";
import {
  diffusersFlux2AutoencoderSizes,
  originalFlux2AutoencoderSizes,
} from "../../../src/models/layouts/autoencoder-sizes.ts";
import { wantedOf } from "../../../src/models/layouts/file-networks.ts";
import { originalFlux2AutoencoderLayout } from "../../../src/models/layouts/original-autoencoder.ts";
import { storedSource } from "../../../src/quantize/stored-source.ts";
import { Config } from "../../../src/weights/config.ts";
import { SingleFile } from "../../../src/weights/single-file.ts";
import { WeightSet } from "../../../src/weights/weight-set.ts";
import { fixtures } from "../../support/fixtures.ts";
import { refusal } from "../../support/refusal.ts";
import { changeSafetensors, readStored, writeSafetensors } from "../../support/safetensors.ts";
import { temporaryFolder } from "../../support/temporary.ts";
import { readNetwork } from "../../support/weights.ts";

type Shapes = Record<string, number[]>;

const FOLDER = "flux2-autoencoders";
const ORIGINAL = path.join(fixtures, FOLDER, "small-decoder-original.safetensors");
const WANTED = wantedOf("vae", "FLUX.2");
/** In the files, though nothing needs it. */
const COUNT = "bn.num_batches_tracked";

const published = JSON.parse(
  gunzipSync(readFileSync(path.join(fixtures, FOLDER, "published.json.gz"))).toString(),
) as Record<string, Record<"folder" | "original", Shapes>>;
const SIZES = {
  "FLUX.2-klein-4B": {},
  "FLUX.2-small-decoder": { decoder_block_out_channels: [96, 192, 384, 384] },
};

const withoutCount = ({ [COUNT]: count, ...rest }: Shapes): Shapes => {
  expect(count).toEqual([]);
  return rest;
};
const shapesOf = (entries: readonly { key: string; shape: readonly number[] }[]): Shapes => {
  expect(new Set(entries.map(({ key }) => key)).size).toBe(entries.length);
  return Object.fromEntries(entries.map(({ key, shape }) => [key, [...shape]]));
};

describe.each(Object.entries(SIZES))("the published %s", (name, fields) => {
  const { folder, original } = published[name]!;
  const sizes = readFlux2AutoencoderConfig(new Config("vae/config.json", fields));
  const layout = originalFlux2AutoencoderLayout(sizes, { has: (key) => Object.hasOwn(original, key) });

  it("has every tensor that the layout names, in its shape, and no other", () => {
    expect(Object.keys(original)).toHaveLength(251);
    expect(shapesOf(layout)).toEqual(withoutCount(original));
    expect(Object.keys(original)).toEqual(
      expect.arrayContaining(["encoder.quant_conv.weight", "decoder.post_quant_conv.bias"]),
    );
  });

  it("gives every weight of the folder, in its shape, once, and the networks ask for all of them", () => {
    expect(shapesOf(layout.flatMap(({ parts }) => parts))).toEqual(withoutCount(folder));
    const requested = [flux2AutoencoderEncoder, flux2AutoencoderDecoder].flatMap((build) =>
      Array.from(requestedWeights((weights) => build(sizes, weights))),
    );
    const shapes = Object.fromEntries(requested.map(([key, { shape }]) => [key, [...shape]]));
    expect(shapes).toEqual(withoutCount(folder));
  });

  it.each([
    ["original", originalFlux2AutoencoderSizes],
    ["folder", diffusersFlux2AutoencoderSizes],
  ] as const)("has its sizes in the shapes of its %s layout", async (keys, sizesOf) => {
    const file = path.join(await temporaryFolder(), "ae.safetensors");
    // A type that nobody knows needs no bytes.
    const tensors = Object.entries(published[name]![keys]).map(
      ([key, shape]) => [key, { dtype: "NONE", shape, bytes: new Uint8Array() }] as const,
    );
    await writeSafetensors(file, Object.fromEntries(tensors));
    expect(sizesOf(await SingleFile.open(file, WANTED), undefined)).toEqual(sizes);
  });
});

describe("a file in the original layout", () => {
  /** All of its weights, by the network's own keys. */
  const numbersOf = async (weights: WeightSet): Promise<Record<string, Float32Array>> => {
    const all = [...storedSource(weights).weights()];
    const numbers = await Promise.all(all.map(({ shape, rows }) => rows(0, shape[0] ?? 1)));
    return Object.fromEntries(all.map(({ key }, index) => [key, numbers[index]!]));
  };
  const inFolder = () => readNetwork(`${FOLDER}/small-decoder`);
  const open = async (file: string) => {
    const single = await SingleFile.open(file, WANTED);
    const sizes = originalFlux2AutoencoderSizes(single, (await inFolder()).config);
    return { single, sizes, weights: single.arrange("vae", originalFlux2AutoencoderLayout(sizes, single)) };
  };

  it("gives the folder's weights and sizes", async () => {
    const { config, tensors } = await inFolder();
    const { single, sizes, weights } = await open(ORIGINAL);
    expect(single.layout()).toBe("FLUX.2's original autoencoder");
    expect(sizes).toEqual(readFlux2AutoencoderConfig(config));
    const { [COUNT]: count, ...expected } = await numbersOf(new WeightSet("vae", tensors));
    expect(count).toEqual(Float32Array.of(1000));
    expect(await numbersOf(weights)).toEqual(expected);
  });

  it("may have the convolutions beside the latents outside its halves", async () => {
    const file = path.join(await temporaryFolder(), "ae.safetensors");
    const stored = Object.entries(await readStored(ORIGINAL));
    const renamed = stored.map(([key, tensor]) => [
      key.replace(/^\w+\.((?:post_)?quant_conv)/, "$1"),
      tensor,
    ]);
    await writeSafetensors(file, Object.fromEntries(renamed) as Awaited<ReturnType<typeof readStored>>);
    expect(await numbersOf((await open(file)).weights)).toEqual(
      await numbersOf((await open(ORIGINAL)).weights),
    );
  });

  it("is refused where FLUX.1's is wanted, and FLUX.1's where it is", async () => {
    const other = path.join(fixtures, "single-files", "plain-ae.safetensors");
    const asFlux1 = await SingleFile.open(ORIGINAL, wantedOf("vae", "FLUX.1"));
    expect(() => asFlux1.layout()).toThrow(
      refusal(
        "CHECKPOINT_INVALID",
        `The weights file ${ORIGINAL} is an autoencoder of FLUX.2, and one of FLUX.1 is wanted.`,
      ),
    );
    const asFlux2 = await SingleFile.open(other, WANTED);
    expect(() => asFlux2.layout()).toThrow(
      refusal(
        "CHECKPOINT_INVALID",
        `The weights file ${other} is an autoencoder of FLUX.1, and one of FLUX.2 is wanted.`,
      ),
    );
  });

  it("is refused where its decoder has another number of levels", async () => {
    const file = path.join(await temporaryFolder(), "ae.safetensors");
    await writeSafetensors(file, await readStored(ORIGINAL));
    await changeSafetensors(file, (tensors) => {
      for (const key of Object.keys(tensors)) if (key.startsWith("decoder.up.3.")) delete tensors[key];
    });
    const single = await SingleFile.open(file, WANTED);
    expect(() => originalFlux2AutoencoderSizes(single, undefined)).toThrow(
      refusal(
        "CHECKPOINT_INVALID",
        `In ${file}, decoder_block_out_channels must be a list of 4 widths, as block_out_channels is, and is [4,4,4].`,
      ),
    );
  });
});
