import { describe, expect, it } from "vitest";
import {
  cropPicture,
  padPicture,
  pictureToPixels,
  pixelsToPicture,
  type Picture,
} from "../../src/images/picture.ts";
import { resizePicture } from "../../src/images/resize.ts";
import { largestDifference, noise, pixelAt, randomNumbers } from "./samples.ts";

const random = randomNumbers(42);
const side = (): number => 1 + Math.floor(random() * 40);
const sizes = Array.from({ length: 25 }, () => {
  return { width: side(), height: side(), extraWidth: side() - 1, extraHeight: side() - 1 };
});

describe("padPicture and cropPicture", () => {
  it.each(sizes)("are inverse: $width x $height", ({ width, height, extraWidth, extraHeight }) => {
    const picture = noise(width, height, width * 100 + height);
    const padded = padPicture(picture, width + extraWidth, height + extraHeight);
    expect([padded.width, padded.height]).toEqual([width + extraWidth, height + extraHeight]);
    expect(cropPicture(padded, width, height)).toEqual(picture);
    for (let y = 0; y < padded.height; y++) {
      for (let x = 0; x < padded.width; x++) {
        const nearest = pixelAt(picture, Math.min(x, width - 1), Math.min(y, height - 1));
        expect(pixelAt(padded, x, y)).toEqual(nearest);
      }
    }
  });

  it("return the same object when there is nothing to do", () => {
    const picture = noise(5, 4);
    expect(padPicture(picture, 5, 4)).toBe(picture);
    expect(cropPicture(picture, 5, 4)).toBe(picture);
  });

  it("leave the picture that they are given as it is", () => {
    const picture = noise(5, 4);
    const before = picture.data.slice();
    padPicture(picture, 9, 9).data.fill(0);
    cropPicture(picture, 2, 2).data.fill(0);
    expect(picture.data).toEqual(before);
  });

  it("refuse the other's direction", () => {
    expect(() => padPicture(noise(5, 4), 4, 8)).toThrow("Cannot pad 5 x 4 pixels to 4 x 8.");
    expect(() => cropPicture(noise(5, 4), 6, 4)).toThrow("Cannot crop 6 x 4 pixels from 5 x 4.");
  });
});

describe("resizePicture", () => {
  it("returns the same object for the same size", async () => {
    const picture = noise(7, 5);
    expect(await resizePicture(picture, 7, 5)).toBe(picture);
  });

  it.each([
    [64, 48],
    [65, 25],
    [100, 31],
    [33, 48],
    [20, 40],
    [31, 23],
    [16, 12],
    [10, 8],
  ])("stretches 32 x 24 to exactly %i x %i and moves nothing", async (width, height) => {
    const resized = await resizePicture(blob(32, 24), width, height);
    expect([resized.width, resized.height, resized.data.length]).toEqual([width, height, width * height * 3]);
    const [x, y] = centreOf(resized);
    expect(x / width).toBeCloseTo(centreOf(blob(32, 24))[0] / 32, 3);
    expect(y / height).toBeCloseTo(centreOf(blob(32, 24))[1] / 24, 3);
  });

  it.each([
    [62, 34],
    [47, 40],
    [15, 9],
    [40, 9],
  ])("gives a mirrored picture mirrored: 31 x 17 to %i x %i", async (width, height) => {
    const picture = noise(31, 17, 5);
    const resized = await resizePicture(picture, width, height);
    const mirrored = mirror(await resizePicture(mirror(picture), width, height));
    expect(largestDifference(resized, mirrored)).toBeLessThanOrEqual(2);
  });

  it("keeps a plain colour plain, and one pixel can become any size", async () => {
    const pixel: Picture = { width: 1, height: 1, data: Uint8Array.from([1, 128, 254]) };
    const enlarged = await resizePicture(pixel, 7, 9);
    for (let i = 0; i < 63; i++) expect(pixelAt(enlarged, i % 7, Math.floor(i / 7))).toEqual([1, 128, 254]);
    expect(await resizePicture(enlarged, 1, 1)).toEqual(pixel);
  });

  it("enlarges as Pillow's Lanczos does", async () => {
    // Image.fromarray(np.uint8([[0, 50, 255, 10]])).resize((7, 1), Image.Resampling.LANCZOS)
    const values = [0, 50, 255, 10].flatMap((value) => [value, value, value]);
    const resized = await resizePicture({ width: 4, height: 1, data: Uint8Array.from(values) }, 7, 1);
    expect([...resized.data].filter((_, i) => i % 3 === 0)).toEqual([1, 0, 36, 195, 247, 97, 0]);
  });
});

describe("pictureToPixels", () => {
  it("orders the numbers as planes and computes them as diffusers does", () => {
    const picture: Picture = { width: 2, height: 1, data: Uint8Array.from([0, 51, 255, 128, 127, 1]) };
    // numpy: 2.0 * (np.uint8([...]).astype(np.float32) / 255.0) - 1.0
    const expected = [
      -1, 0.003921627998352051, -0.6000000238418579, -0.003921568393707275, 1, -0.9921568632125854,
    ];
    expect([...pictureToPixels(picture)]).toEqual(expected);
  });

  it.each(sizes.slice(0, 8))("and back is exact: $width x $height", ({ width, height }) => {
    const picture = noise(width, height, width);
    const pixels = pictureToPixels(picture);
    expect(pixels.length).toBe(3 * width * height);
    expect(pixelsToPicture(pixels, width, height)).toEqual(picture);
  });

  it("and back is exact for every value", () => {
    const data = Uint8Array.from({ length: 256 * 3 }, (_, i) => i / 3);
    const picture = { width: 256, height: 1, data };
    expect(pixelsToPicture(pictureToPixels(picture), 256, 1).data).toEqual(data);
  });
});

describe("pixelsToPicture", () => {
  it("clips what lies beyond -1 to 1", () => {
    expect(valuesOf(-1.5, 1.5, Infinity)).toEqual([0, 255, 255]);
    expect(valuesOf(-Infinity, -1, 1)).toEqual([0, 0, 255]);
  });

  it("rounds a half to the even value, as numpy does", () => {
    // ((x * 0.5 + 0.5) * 255) is exactly 64.5, 65.5, 66.5; 74.5, 75.5, 127.5 in float32.
    expect(valuesOf(-0.4941175878047943, -0.48627445101737976, -0.4784313142299652)).toEqual([64, 66, 66]);
    expect(valuesOf(-0.4156862199306488, -0.40784308314323425, 0)).toEqual([74, 76, 128]);
  });

  it("refuses another count of numbers", () => {
    expect(() => pixelsToPicture(new Float32Array(11), 2, 2)).toThrow(
      "11 numbers are not an image of 2 x 2 pixels.",
    );
  });
});

function valuesOf(...pixels: number[]): number[] {
  return [...pixelsToPicture(Float32Array.from(pixels), pixels.length / 3, 1).data];
}

function mirror(picture: Picture): Picture {
  const data = new Uint8Array(picture.data.length);
  for (let y = 0; y < picture.height; y++) {
    for (let x = 0; x < picture.width; x++) {
      data.set(pixelAt(picture, picture.width - 1 - x, y), (y * picture.width + x) * 3);
    }
  }
  return { ...picture, data };
}

/** A bright spot off the middle, whose centre of mass can be measured to a small part of a pixel. */
function blob(width: number, height: number): Picture {
  const data = new Uint8Array(width * height * 3);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const distance = (x + 0.5 - width * 0.45) ** 2 + (y + 0.5 - height * 0.55) ** 2;
      data.fill(255 * Math.exp(-distance / 12), (y * width + x) * 3, (y * width + x + 1) * 3);
    }
  }
  return { width, height, data };
}

function centreOf({ width, data }: Picture): [number, number] {
  let [total, sumX, sumY] = [0, 0, 0];
  for (let i = 0; i < data.length / 3; i++) {
    const value = data[i * 3]!;
    total += value;
    sumX += value * ((i % width) + 0.5);
    sumY += value * (Math.floor(i / width) + 0.5);
  }
  return [sumX / total, sumY / total];
}
