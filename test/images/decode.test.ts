import sharp, { type Sharp } from "sharp";
import { describe, expect, it } from "vitest";
import { decodePicture } from "../../src/images/decode.ts";
import type { Picture } from "../../src/images/picture.ts";
import { gradient, largestDifference, pixelAt, plain, sharpOf } from "./samples.ts";

const picture = gradient(96, 64);
const source = (): Sharp => sharpOf(picture);
const animation = async (): Promise<Sharp> => {
  const colours = [
    [200, 30, 60],
    [0, 255, 0],
    [0, 0, 255],
  ] as const;
  const frames = await Promise.all(colours.map((colour) => plain(32, 24, colour).png().toBuffer()));
  return sharp(frames, { join: { animated: true } });
};

/** Lossy formats may differ from the source by this much; JPEG and AVIF at quality 90 and 4:4:4. */
const LOSSY = 12;
const LOSSLESS = { lossless: true, compression: "lzw" } as const;

describe("decodePicture, formats", () => {
  const formats: [string, () => Promise<Buffer>, number][] = [
    ["JPEG", () => source().jpeg({ quality: 90, chromaSubsampling: "4:4:4" }).toBuffer(), LOSSY],
    ["progressive JPEG", () => source().jpeg({ quality: 90, progressive: true }).toBuffer(), LOSSY],
    ["PNG", () => source().png().toBuffer(), 0],
    ["interlaced PNG", () => source().png({ progressive: true }).toBuffer(), 0],
    ["WebP", () => source().webp({ quality: 95 }).toBuffer(), LOSSY],
    ["lossless WebP", () => source().webp({ lossless: true }).toBuffer(), 0],
    ["AVIF", () => source().avif({ quality: 90, effort: 1 }).toBuffer(), LOSSY],
    ["10-bit AVIF", () => source().avif({ quality: 90, effort: 1, bitdepth: 10 }).toBuffer(), LOSSY],
    ["GIF", () => source().gif({ dither: 0 }).toBuffer(), 32],
    ["TIFF", () => source().tiff({ compression: "none" }).toBuffer(), 0],
    ["LZW TIFF", () => source().tiff({ compression: "lzw", predictor: "horizontal" }).toBuffer(), 0],
    ["big TIFF", () => source().tiff({ compression: "deflate", bigtiff: true }).toBuffer(), 0],
  ];
  it.each(formats)("accepts %s", async (_, encode, tolerance) => {
    const decoded = await decodePicture(await encode());
    expect([decoded.width, decoded.height]).toEqual([96, 64]);
    expect(largestDifference(decoded, picture)).toBeLessThanOrEqual(tolerance);
  });

  it.each(["gif", "webp", "tiff"] as const)(
    "decodes only the first frame or page of a %s",
    async (format) => {
      const bytes = await (await animation()).toFormat(format, LOSSLESS).toBuffer();
      expect((await sharp(bytes).metadata()).pages).toBe(3);
      const decoded = await decodePicture(bytes);
      expect([decoded.width, decoded.height]).toEqual([32, 24]);
      expectColour(decoded, [200, 30, 60], 6);
    },
  );

  it("goes by the content and not by a name", async () => {
    const decoded = await decodePicture(await source().webp({ lossless: true }).toBuffer(), {
      name: "photo.jpg",
    });
    expect(decoded.data).toEqual(picture.data);
  });

  it.each([
    [1, 1],
    [1, 500],
    [500, 1],
  ])("accepts %i x %i pixels", async (width, height) => {
    const decoded = await decodePicture(await sharpOf(gradient(width, height)).png().toBuffer());
    expect([decoded.width, decoded.height, decoded.data.length]).toEqual([width, height, width * height * 3]);
  });
});

describe("decodePicture, colours", () => {
  it("converts CMYK, with and without a profile", async () => {
    const red = plain(16, 16, [200, 30, 60]);
    const cmyk = await red.clone().toColourspace("cmyk").jpeg({ quality: 100 }).toBuffer();
    expect((await sharp(cmyk).metadata()).space).toBe("cmyk");
    expectColour(await decodePicture(cmyk), [200, 30, 60], 24);

    const tiff = await red.clone().withIccProfile("cmyk").tiff({ compression: "lzw" }).toBuffer();
    expect(await sharp(tiff).metadata()).toMatchObject({ space: "cmyk", hasProfile: true });
    expectColour(await decodePicture(tiff), [200, 30, 60], 24);
  });

  it("converts 16 bits a channel", async () => {
    const values = new Uint16Array([51_400, 7_710, 15_420]); // 257 times 200, 30, 60
    const rgb16 = sharp(values, { raw: { width: 1, height: 1, channels: 3 } }).toColourspace("rgb16");
    const bytes = await rgb16.png().toBuffer();
    expect((await sharp(bytes).metadata()).depth).toBe("ushort");
    expectColour(await decodePicture(bytes), [200, 30, 60], 1);
  });

  it("converts greyscale, 8 and 16 bits, with and without alpha", async () => {
    const grey = plain(8, 8, [90, 90, 90]).toColourspace("b-w");
    const jpeg = await grey.clone().jpeg({ quality: 100 }).toBuffer();
    expect((await sharp(jpeg).metadata()).channels).toBe(1);
    expectColour(await decodePicture(jpeg), [90, 90, 90], 1);

    const raw = { width: 1, height: 1, channels: 2 } as const;
    const half = sharp(new Uint16Array([0, 32_768]), { raw }).toColourspace("grey16");
    const bytes = await half.png().toBuffer();
    expect(await sharp(bytes).metadata()).toMatchObject({ channels: 2, depth: "ushort" });
    expectColour(await decodePicture(bytes), [127, 127, 127], 1);
  });

  it("converts a palette", async () => {
    const bytes = await plain(8, 8, [200, 30, 60]).png({ palette: true }).toBuffer();
    expect((await sharp(bytes).metadata()).isPalette).toBe(true);
    expectColour(await decodePicture(bytes), [200, 30, 60], 0);
  });

  it("converts one bit a pixel", async () => {
    const bytes = await plain(8, 8, [255, 255, 255])
      .toColourspace("b-w")
      .tiff({ bitdepth: 1, compression: "none", predictor: "none" })
      .toBuffer();
    expectColour(await decodePicture(bytes), [255, 255, 255], 0);
  });

  it.each(["png", "webp", "tiff", "avif"] as const)(
    "lays the transparency of a %s on white",
    async (format) => {
      const clear = await plain(16, 16, [200, 30, 60, 0]).toFormat(format, LOSSLESS).toBuffer();
      expectColour(await decodePicture(clear), [255, 255, 255], 0);
      const half = await plain(16, 16, [200, 30, 60, 0.5]).toFormat(format, LOSSLESS).toBuffer();
      expectColour(await decodePicture(half), [227, 142, 157], 3);
    },
  );

  it("lays the transparency of a GIF on white", async () => {
    const clear = await plain(8, 8, [200, 30, 60, 0]).gif().toBuffer();
    expectColour(await decodePicture(clear), [255, 255, 255], 0);
  });

  it.each(["png", "jpeg", "webp", "avif", "tiff"] as const)(
    "converts a %s with a wide profile",
    async (format) => {
      const colour: [number, number, number] = [230, 60, 30];
      const bytes = await plain(16, 16, colour)
        .withIccProfile("p3")
        .toFormat(format, { quality: 100, chromaSubsampling: "4:4:4" })
        .toBuffer();
      const { data } = await sharp(bytes, { ignoreIcc: true }).raw().toBuffer({ resolveWithObject: true });
      // The file itself holds other numbers: (212, 75, 43) in Display P3 is (230, 60, 30) in sRGB.
      const stored = { width: 16, height: 16, data };
      expectColour(stored, [214, 76, 45], 4);
      expectColour(await decodePicture(bytes), colour, 3);
    },
  );
});

describe("decodePicture, gain maps", () => {
  it("takes the base of an Ultra HDR photo, as phones write them, and not its bright rendition", async () => {
    const photo = await plain(64, 64, [200, 30, 60]).jpeg().toBuffer();
    const gainMap = await plain(16, 16, [255, 255, 255]).toColourspace("b-w").jpeg().toBuffer();
    // sharp 0.35.5 has the method, and its type declarations do not.
    const encoder = sharp(photo) as Sharp & { withGainMap(map: Buffer): Sharp };
    const bytes = await encoder.withGainMap(gainMap).jpeg({ quality: 100 }).toBuffer();
    expect((await sharp(bytes).metadata()).gainMap).toBeDefined();
    expect(await decodePicture(bytes)).toEqual(await decodePicture(withoutGainMap(bytes)));
  });
});

describe("decodePicture, orientation", () => {
  // What EXIF calls 1 to 8, as the corner of the stored picture that is seen at the top left.
  const corners = [
    [0, 0],
    [95, 0],
    [95, 63],
    [0, 63],
    [0, 0],
    [0, 63],
    [95, 63],
    [95, 0],
  ] as const;
  it.each(corners.map((corner, i) => [i + 1, corner] as const))(
    "applies EXIF %i",
    async (orientation, [x, y]) => {
      const bytes = await source().withExif({}).withMetadata({ orientation }).png().toBuffer();
      const decoded = await decodePicture(bytes);
      const isTurned = orientation >= 5;
      expect([decoded.width, decoded.height]).toEqual(isTurned ? [64, 96] : [96, 64]);
      expect(pixelAt(decoded, 0, 0)).toEqual(pixelAt(picture, x, y));
      expect(decoded.data.length).toBe(96 * 64 * 3);
    },
  );

  it("turns a JPEG and an AVIF too", async () => {
    for (const format of ["jpeg", "avif"] as const) {
      const bytes = await source().withMetadata({ orientation: 6 }).toFormat(format).toBuffer();
      const decoded = await decodePicture(bytes);
      expect([decoded.width, decoded.height]).toEqual([64, 96]);
      expect(pixelAt(decoded, 63, 0)[0]).toBeLessThan(70);
    }
  });
});

function expectColour(actual: Picture, expected: readonly number[], tolerance: number): void {
  const centre = pixelAt(actual, actual.width >> 1, actual.height >> 1);
  for (const [channel, value] of centre.entries()) {
    expect(
      Math.abs(value - expected[channel]!),
      `${centre.join()} is ${expected.join()}`,
    ).toBeLessThanOrEqual(tolerance);
  }
}

/** Keeps of a JPEG's application segments only the colour profile. */
function withoutGainMap(jpeg: Buffer): Buffer {
  const parts = [jpeg.subarray(0, 2)];
  let offset = 2;
  // 0xDA starts the scan, which lasts to the end.
  for (; jpeg[offset + 1] !== 0xda; offset += 2 + jpeg.readUInt16BE(offset + 2)) {
    const segment = jpeg.subarray(offset, offset + 2 + jpeg.readUInt16BE(offset + 2));
    const isApplication = segment[1]! >= 0xe1 && segment[1]! <= 0xef;
    if (!isApplication || segment.toString("latin1", 4, 15) === "ICC_PROFILE") parts.push(segment);
  }
  return Buffer.concat([...parts, jpeg.subarray(offset)]);
}
