import sharp from "sharp";
import { describe, expect, it } from "vitest";
import { encodeDeep, encodePicture } from "../../src/images/encode.ts";
import { plainDeep } from "../../src/images/convert-deep.ts";
import { enlargePicture } from "../../src/images/enlarge.ts";
import type { Picture } from "../../src/images/picture.ts";
import { encodeSmoothPng } from "../../src/images/smooth-png.ts";
import { gradient, noise } from "./samples.ts";

/** As soft as what the shipped network draws at 1024 x 1024. */
const soft = (side: number): Picture => enlargePicture(noise(side / 8, side / 8), side, side);

describe("encodeSmoothPng", () => {
  it.each([
    [100, 100],
    [101, 233],
    [1111, 12],
    [600, 500],
  ])("holds exactly the picture, %i x %i pixels of noise", async (width, height) => {
    const picture = noise(width, height);
    const bytes = (await encodeSmoothPng(picture))!;
    expect(bytes).not.toBeInstanceOf(Buffer);
    expect(await sharp(bytes).metadata()).toMatchObject({ format: "png", depth: "uchar", channels: 3 });
    // A decoder that refuses wrong checksums.
    const decoded = await sharp(bytes, { failOn: "warning" }).raw().toBuffer();
    expect(decoded.equals(picture.data)).toBe(true);
  });

  it("carries an XMP packet in UTF-8", async () => {
    const packet = '<x:xmpmeta xmlns:x="adobe:ns:meta/">Bläuling 青い鳥</x:xmpmeta>';
    const { xmp } = await sharp(await encodeSmoothPng(soft(128), packet)).metadata();
    expect(xmp?.toString("utf8")).toBe(packet);
  });

  it("leaves even and repeated parts, tiny pictures and very large ones to libpng", async () => {
    const stripes = {
      ...noise(256, 256),
      data: Uint8Array.from({ length: 3 * 256 * 256 }, (_, i) => (i % 96) * 2),
    };
    const flat = { width: 256, height: 256, data: new Uint8Array(3 * 256 * 256).fill(77) };
    const even = enlargePicture(gradient(32, 32), 256, 256);
    const large = { width: 2001, height: 2000, data: new Uint8Array(3 * 2001 * 2000) };
    for (const picture of [stripes, flat, even, noise(64, 64), large]) {
      expect(await encodeSmoothPng(picture)).toBeUndefined();
    }
  });
});

describe("encodeDeep", () => {
  const picture = soft(256);

  it("writes an enlarged picture so, at most 1.3 times as large as libpng does", async () => {
    const smooth = (await encodeSmoothPng(picture))!;
    expect(await encodeDeep(plainDeep(picture), "png", { isEnlarged: true })).toEqual(smooth);
    const chosen = await encodePicture(picture, "png");
    expect(chosen).not.toEqual(smooth);
    expect(smooth.length).toBeLessThanOrEqual(1.3 * chosen.length);
  });

  it("keeps transparency and 16 bits", async () => {
    const { width, height, data } = picture;
    const alpha = Uint8Array.from({ length: 4 * width * height }, (_, i) =>
      i % 4 === 3 ? 100 : data[i >> 2]!,
    );
    const transparent = { width, height, channels: 4, data: alpha, space: {} } as const;
    expect(await sharp(await encodeDeep(transparent, "png", { isEnlarged: true })).metadata()).toMatchObject({
      channels: 4,
    });
    const words = { ...plainDeep(picture), data: Uint16Array.from(data, (value) => 257 * value) };
    expect(await sharp(await encodeDeep(words, "png", { isEnlarged: true })).metadata()).toMatchObject({
      depth: "ushort",
    });
  });
});
