/** A crop laid over its image: what stays inside of it, and in how many bits its soft edge is. */
import { describe, expect, it } from "vitest";
import { pictureOfDeep } from "../../src/images/convert-deep.ts";
import type { DeepPicture } from "../../src/images/deep-picture.ts";
import { cropped, type Region, resizeAndFill } from "../../src/images/mask-crop.ts";
import type { GrayPicture, Picture } from "../../src/images/picture.ts";
import { cropSource, laidOver } from "../../src/pipelines/shared/crop-result.ts";

const [WIDTH, HEIGHT] = [160, 120];
const region: Region = { left: 32, top: 24, width: 96, height: 64 };
const canvas = { width: 96, height: 64 };

/** 16 bits of which no 8-bit picture has the lower ones: soft detail, so that resampling keeps it. */
const data = Uint16Array.from({ length: 3 * WIDTH * HEIGHT }, (_, i) => {
  const [x, y] = [Math.floor(i / 3) % WIDTH, Math.floor(i / 3 / WIDTH)];
  return (
    Math.round(30_000 + 9000 * Math.sin(x / 5 + (i % 3)) + 9000 * Math.cos(y / 7)) + ((x * 31 + y * 17) % 101)
  );
});
const deep: DeepPicture = { width: WIDTH, height: HEIGHT, channels: 3, data, space: {} };
const source = pictureOfDeep(deep);
const seen: Picture = {
  ...canvas,
  data: resizeAndFill(cropped({ ...source, channels: 3 }, region), canvas).data as Uint8Array,
};
/** A red square in the middle of the crop. */
const isSquare = (x: number, y: number): boolean => x >= 40 && x < 56 && y >= 24 && y < 40;
const working: Picture = {
  ...canvas,
  data: seen.data.map((value, i) => {
    const [x, y] = [Math.floor(i / 3) % canvas.width, Math.floor(i / 3 / canvas.width)];
    return isSquare(x, y) ? [250, 10, 10][i % 3]! : value;
  }),
};

const maskOf = (value: (x: number, y: number) => number): GrayPicture => ({
  width: WIDTH,
  height: HEIGHT,
  data: Uint8Array.from({ length: WIDTH * HEIGHT }, (_, pixel) =>
    value(pixel % WIDTH, Math.floor(pixel / WIDTH)),
  ),
});
const isInside = (x: number, y: number): boolean =>
  x >= region.left && y >= region.top && x < region.left + region.width && y < region.top + region.height;
const plan = { size: deep, target: { content: canvas, canvas }, references: [{ content: canvas, canvas }] };
const overlayOf = (alpha: GrayPicture) => ({ source, region, alpha, plan });
/** Where numbers differ from the image's. */
const changed = (result: ArrayLike<number>): [number, number][] =>
  Array.from({ length: WIDTH * HEIGHT }, (_, pixel) => pixel)
    .filter((pixel) => [0, 1, 2].some((k) => result[3 * pixel + k] !== data[3 * pixel + k]))
    .map((pixel) => [pixel % WIDTH, Math.floor(pixel / WIDTH)]);

describe("a crop that is laid over its image", () => {
  it("keeps the image's own numbers inside the mask, too, where the network only reproduced them", async () => {
    const overlay = overlayOf(maskOf((x, y) => (isInside(x, y) ? 255 : 0)));
    const made = await cropSource(overlay, region, deep, { mode: "exact", seen });
    const { deep: result, kept } = await laidOver(made, working);
    const places = changed(result!.data);
    expect(places.length).toBeGreaterThan(16 * 16 * 0.8);
    // Within some pixels of the square.
    const isNear = ([x, y]: [number, number]): boolean => {
      const [left, top] = [x - region.left, y - region.top];
      return left >= 30 && left < 66 && top >= 14 && top < 50;
    };
    expect(places.filter((place) => !isNear(place))).toEqual([]);
    const { shares, map, changedShare } = kept!;
    expect(shares.kept + shares.carried + shares.drawn).toBeCloseTo(1, 9);
    expect(changedShare).toBeLessThan((36 * 36) / (WIDTH * HEIGHT));
    expect(changedShare).toBeGreaterThan((16 * 16 * 0.8) / (WIDTH * HEIGHT));
    expect([map.width, map.height]).toEqual([WIDTH, HEIGHT]);
    const drawn = places.filter(([x, y]) => map.data[y * WIDTH + x] === 0);
    expect(drawn.length).toBeGreaterThan(16 * 16 * 0.8);
  });

  it("changes nothing outside of the mask within its window", async () => {
    const isMarked = (x: number): boolean => x >= region.left + 48;
    const overlay = overlayOf(maskOf((x, y) => (isInside(x, y) && isMarked(x) ? 255 : 0)));
    const made = await cropSource(overlay, region, deep, { mode: "auto", seen });
    const places = changed((await laidOver(made, working)).deep!.data);
    expect(places.length).toBeGreaterThan(50);
    expect(places.filter(([x]) => !isMarked(x))).toEqual([]);
  });

  it("mixes a soft edge in the file's own 16 bits", async () => {
    const overlay = overlayOf(maskOf((x, y) => (isInside(x, y) ? 64 : 0)));
    const made = await cropSource(overlay, region, deep, undefined);
    const { deep: result, kept } = await laidOver(made, working);
    expect(kept).toBeUndefined();
    expect(changed(result!.data).every(([x, y]) => isInside(x, y))).toBe(true);
    const share = 64 / 255;
    for (let y = 0; y < region.height; y += 1) {
      for (let i = 0; i < 3 * region.width; i += 1) {
        const at = 3 * ((region.top + y) * WIDTH + region.left) + i;
        const drawn = working.data[3 * y * canvas.width + i]! * 257;
        expect(Math.abs(result!.data[at]! - (data[at]! + share * (drawn - data[at]!)))).toBeLessThanOrEqual(
          0.5,
        );
      }
    }
  });
});
