import { readFile } from "node:fs/promises";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { decodePicture } from "../../src/images/decode.ts";
import { type Picture, pictureToPixels, pixelsToPicture } from "../../src/images/picture.ts";
import { resizePicture } from "../../src/images/resize.ts";
import { loadNetworks } from "../../src/pipelines/flux1-kontext/model.ts";
import type { Networks } from "../../src/pipelines/flux1-kontext/networks.ts";
import { fitSketcher, type LatentSketcher } from "../../src/engine/preview.ts";
import { drawSample } from "../../src/engine/preview-samples.ts";
import { Checkpoint } from "../../src/weights/checkpoint.ts";
import { gradient } from "../images/samples.ts";
import { psnr } from "../support/compare.ts";
import { fixtures, root } from "../support/fixtures.ts";

const open = async (folder: string): Promise<Networks> =>
  loadNetworks(await Checkpoint.open(folder), { threads: 1 });

/** The latents of a picture, and what the autoencoder makes of them. */
async function roundTrip(networks: Networks, picture: Picture) {
  const grid = await networks.encodePixels(pictureToPixels(picture), picture);
  const cells = networks.latentSize(picture);
  const pixels = await networks.decodeLatents(grid, cells);
  return { grid, cells, decoded: pixelsToPicture(pixels, picture.width, picture.height) };
}

describe("a sample", () => {
  it("is the same each time, and another for each number", () => {
    expect(drawSample(1, 32)).toEqual(drawSample(1, 32));
    expect(psnr(drawSample(1, 32).data, drawSample(2, 32).data)).toBeLessThan(15);
  });

  it("has dark and light of every colour", () => {
    for (const number of [0, 1, 2, 3]) {
      const { data } = drawSample(number, 64);
      for (const channel of [0, 1, 2]) {
        const values = data.filter((_, index) => index % 3 === channel).toSorted();
        expect(values[200]).toBeLessThan(100);
        expect(values.at(-200)).toBeGreaterThan(155);
      }
    }
  });
});

describe("a sketcher of the shipped checkpoint", () => {
  let networks: Networks;
  let sketch: LatentSketcher;
  beforeAll(async () => {
    networks = await open(path.join(root, "checkpoints", "tiny"));
    sketch = await fitSketcher(networks);
  });
  afterAll(() => networks.dispose());

  it.each(["bluebird", "car", "fox", "teapot"])(
    "draws the latents of %s near what the autoencoder decodes",
    async (name) => {
      const example = await decodePicture(await readFile(path.join(root, "examples", `${name}.png`)));
      const { grid, cells, decoded } = await roundTrip(networks, await resizePicture(example, 128, 128));
      const drawn = sketch(grid, cells);
      expect(drawn).toMatchObject({ width: 64, height: 64 });
      expect(psnr(drawn.data, (await resizePicture(decoded, 64, 64)).data)).toBeGreaterThan(25);
    },
  );

  it("is the same each time that it is fitted", async () => {
    const again = await fitSketcher(networks);
    const { grid, cells } = await roundTrip(networks, gradient(64, 128));
    expect(again(grid, cells)).toEqual(sketch(grid, cells));
  });

  it("draws at most 256 pixels a side, the mean of what it would draw larger", async () => {
    const { grid, cells } = await roundTrip(networks, gradient(1024, 32));
    expect(cells).toEqual({ width: 128, height: 4 });
    const small = sketch(grid, cells);
    expect(small).toMatchObject({ width: 256, height: 8 });
    // A quarter of the grid, without its border, is small enough to be drawn in full.
    const part = { width: 32, height: 4 };
    const partOfGrid = grid.filter((_, index) => index % cells.width < part.width);
    const large = sketch(partOfGrid, part);
    expect(large).toMatchObject({ width: 128, height: 16 });
    for (const [x, y] of [
      [0, 0],
      [20, 3],
      [50, 7],
    ] as const) {
      const [from, to] = [(2 * y * 128 + 2 * x) * 3, (y * 256 + x) * 3];
      const block = [0, 3, 128 * 3, 129 * 3].map((offset) => large.data[from + offset]!);
      expect(
        Math.abs(small.data[to]! - block.reduce((sum, value) => sum + value, 0) / 4),
      ).toBeLessThanOrEqual(1);
    }
  });
});

describe("a sketcher of any checkpoint", () => {
  it.each(["odd", "plain", "sharded", "shifted"])("exists for %s", async (name) => {
    const networks = await open(path.join(fixtures, "checkpoints", name));
    const sketch = await networks.sketcher();
    expect(await networks.sketcher()).toBe(sketch);
    const side = 8 * networks.autoencoder.scaleFactor;
    const { grid, cells, decoded } = await roundTrip(networks, gradient(side, side));
    const drawn = sketch(grid, cells);
    // Random weights decode to noise, of which a linear map has the mean at least.
    const reduced = await resizePicture(decoded, drawn.width, drawn.height);
    expect(psnr(drawn.data, reduced.data)).toBeGreaterThan(15);
    await networks.dispose();
  });
});
