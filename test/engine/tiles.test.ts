import path from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { loadNetworks } from "../../src/pipelines/flux1-kontext/model.ts";
import type { Networks } from "../../src/pipelines/flux1-kontext/networks.ts";
import { isTiled, type Planes, runInTiles, tileSizes } from "../../src/engine/tiles.ts";
import { Checkpoint } from "../../src/weights/checkpoint.ts";
import { difference } from "../support/compare.ts";
import { fixtures, type FixtureTensor, readTensors } from "../support/fixtures.ts";

const TILE_SIDE = 32;
const folderOf = (name: string): string => path.join(fixtures, "checkpoints", name);

function planesOf({ data, shape }: FixtureTensor): Planes {
  const [, channels, height, width] = shape as [number, number, number, number];
  return { data: data as Float32Array, channels, width, height };
}

describe.each(["plain", "odd"])("the autoencoder of %s in tiles", (name) => {
  let networks: Networks;
  let tensors: Map<string, FixtureTensor>;
  beforeAll(async () => {
    networks = await loadNetworks(await Checkpoint.open(folderOf(name)), { threads: 1 });
    tensors = await readTensors(`tiles/${name}.safetensors`);
  });

  it("encodes as diffusers does with enable_tiling()", async () => {
    const { latentChannels: channels, scaleFactor, shiftFactor, scalingFactor } = networks.autoencoder;
    const sides = { input: TILE_SIDE, output: TILE_SIDE / scaleFactor };
    const encoded = await runInTiles(planesOf(tensors.get("pixels")!), sides, async (tile) => {
      const data = await networks.encodePixels(tile.data, tile);
      return { data, channels, width: tile.width / scaleFactor, height: tile.height / scaleFactor };
    });
    const mean = encoded.data.map((value) => value / scalingFactor + shiftFactor);
    expect(difference(mean, planesOf(tensors.get("mean")!).data).relative).toBeLessThan(1e-5);
  });

  it("decodes as diffusers does with enable_tiling()", async () => {
    const { scaleFactor, shiftFactor, scalingFactor } = networks.autoencoder;
    const sides = { input: TILE_SIDE / scaleFactor, output: TILE_SIDE };
    const latents = planesOf(tensors.get("latents")!);
    const normalised = {
      ...latents,
      data: latents.data.map((value) => (value - shiftFactor) * scalingFactor),
    };
    const decoded = await runInTiles(normalised, sides, async (tile) => ({
      data: await networks.decodeLatents(tile.data, tile),
      channels: 3,
      width: tile.width * scaleFactor,
      height: tile.height * scaleFactor,
    }));
    expect(difference(decoded.data, planesOf(tensors.get("decoded")!).data).relative).toBeLessThan(1e-5);
  });
});

describe("tiles", () => {
  it("give back what a network leaves as it is, whatever the size", async () => {
    for (const [width, height] of [
      [8, 8],
      [9, 20],
      [31, 7],
    ] as const) {
      const data = Float32Array.from({ length: 2 * width * height }, (_, index) => index);
      const whole = { data, channels: 2, width, height };
      const result = await runInTiles(whole, { input: 8, output: 8 }, async (tile) => tile);
      expect(result.data.length).toBe(data.length);
      expect(difference(result.data, data).largest).toBeLessThan(1e-3);
    }
  });

  it("are for what is longer than one of them", () => {
    expect(isTiled({ width: 8, height: 8 }, 8)).toBe(false);
    expect(isTiled({ width: 4, height: 9 }, 8)).toBe(true);
  });
});

describe("the sizes of tiles", () => {
  it("are those of the image that is no larger than one, or is not cut", () => {
    const whole = { width: 100, height: 64 };
    expect([tileSizes(whole), tileSizes(whole, 100)]).toEqual([[whole], [whole]]);
  });

  it("are those that a network runs on, row by row", async () => {
    const whole: Planes = { channels: 1, width: 100, height: 64, data: new Float32Array(6400) };
    const seen: object[] = [];
    await runInTiles(whole, { input: 64, output: 64 }, async (tile) => {
      seen.push({ width: tile.width, height: tile.height });
      return tile;
    });
    expect(seen).toHaveLength(6);
    expect(tileSizes(whole, 64)).toEqual(seen);
  });
});
