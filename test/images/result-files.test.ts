/** What files of results keep of their sources: transparency, bits and colour space, in every format that can. */
import sharp from "sharp";
import { describe, expect, it } from "vitest";
import { alphaAt } from "../../src/images/alpha.ts";
import type { Primaries } from "../../src/images/colour-matrix.ts";
import { SRGB_PRIMARIES } from "../../src/images/colour-matrix.ts";
import { type ColourSpace, SRGB, wideSpaceOf } from "../../src/images/colour-space.ts";
import { deepOf, laidOn, pictureOfDeep } from "../../src/images/convert-deep.ts";
import { decodeSource } from "../../src/images/decode-source.ts";
import { type DeepPicture, parseColour } from "../../src/images/deep-picture.ts";
import { encodeDeep } from "../../src/images/encode.ts";
import { writeProfile } from "../../src/images/icc-write.ts";
import { readProfile } from "../../src/images/icc.ts";
import { FORMATS, OUTPUT_FORMATS } from "../../src/images/output-format.ts";
import type { Picture } from "../../src/images/picture.ts";
import { encodeThumbnail } from "../../src/images/thumbnail.ts";
import { refusal } from "../support/refusal.ts";
import { gradient, largestDifference, noise, pixelAt, pngChunk, sharpOf } from "./samples.ts";

const D65 = [0.3127, 0.329] as const;
const DISPLAY_P3: Primaries = [0.68, 0.32, 0.265, 0.69, 0.15, 0.06, ...D65];
const REC2020: Primaries = [0.708, 0.292, 0.17, 0.797, 0.131, 0.046, ...D65];
const ADOBE_RGB: Primaries = [0.64, 0.33, 0.21, 0.71, 0.15, 0.06, ...D65];
const PROPHOTO: Primaries = [0.7347, 0.2653, 0.1596, 0.8404, 0.0366, 0.0001, 0.3457, 0.3585];
const WIDE = [
  ["Display P3", DISPLAY_P3, { kind: "srgb" }],
  ["Adobe RGB", ADOBE_RGB, { kind: "gamma", exponent: 563 / 256 }],
  ["ProPhoto", PROPHOTO, { kind: "gamma", exponent: 1.8 }],
  ["Rec. 2020", REC2020, { kind: "srgb" }],
] as const;
const profileSpace = (icc: Uint8Array): ColourSpace =>
  wideSpaceOf({ kind: "profile", profile: readProfile(icc)! }, icc)!;
const P3 = profileSpace(writeProfile(DISPLAY_P3, { kind: "srgb" }));

/** Random numbers, and alpha from nothing to everything. */
function deepNoise(channels: 3 | 4, depth: 8 | 16, space = SRGB): DeepPicture {
  const [width, height] = [24, 16];
  const { data: values } = noise(width * channels * 2, height, depth);
  const length = width * height * channels;
  const words = Uint16Array.from({ length }, (_, i) => values[2 * i]! * 256 + values[2 * i + 1]!);
  return { width, height, channels, data: depth === 16 ? words : values.slice(0, length), space };
}

function largest(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) return Infinity;
  let most = 0;
  for (let i = 0; i < a.length; i++) most = Math.max(most, Math.abs(a[i]! - b[i]!));
  return most;
}

/** A PNG with chunks after its header. */
async function pngWith(picture: Picture, ...chunks: Buffer[]): Promise<Buffer> {
  const file = await sharpOf(picture).png().toBuffer();
  return Buffer.concat([file.subarray(0, 33), ...chunks, file.subarray(33)]);
}

const gammaAndPrimaries = (gamma: number, [rx, ry, gx, gy, bx, by, wx, wy]: Primaries): Buffer[] => {
  const words = (...numbers: number[]): Buffer => {
    const bytes = Buffer.alloc(4 * numbers.length);
    for (const [i, number] of numbers.entries()) bytes.writeUInt32BE(Math.round(number * 100_000), 4 * i);
    return bytes;
  };
  return [pngChunk("gAMA", words(gamma)), pngChunk("cHRM", words(wx, wy, rx, ry, gx, gy, bx, by))];
};

describe("a source", () => {
  it.each([
    [3, 8],
    [4, 8],
    [3, 16],
    [4, 16],
  ] as const)("is decoded to its own numbers: %i channels of %i bits", async (channels, depth) => {
    const deep = deepNoise(channels, depth);
    for (const space of [SRGB, P3]) {
      const read = await decodeSource(await encodeDeep({ ...deep, space }, "png"));
      expect(read.deep.channels).toBe(channels);
      expect(read.deep.data).toEqual(deep.data);
      expect(read.deep.space.icc).toEqual(space.icc);
      expect(read.bits).toBe(depth);
    }
  });

  it("has no alpha where all of it is opaque", async () => {
    const opaque = await sharpOf(gradient(8, 8)).ensureAlpha().png().toBuffer();
    expect((await decodeSource(opaque)).deep.channels).toBe(3);
  });

  it.each(["webp", "avif", "gif"] as const)("keeps the transparency of %s", async (format) => {
    const half = sharp({ create: { width: 8, height: 8, channels: 4, background: "#f000" } }).composite([
      { input: { create: { width: 4, height: 8, channels: 4, background: "#00f" } }, left: 0, top: 0 },
    ]);
    const { deep, picture } = await decodeSource(await half.toFormat(format).toBuffer());
    expect(deep.channels).toBe(4);
    expect(deep.data[3]).toBe(255);
    expect(deep.data[4 * 7 + 3]).toBeLessThanOrEqual(1);
    expect(Math.min(...pixelAt(picture, 7, 0))).toBeGreaterThanOrEqual(254);
  });

  it("is laid on the colour that is asked for, before the networks see it", async () => {
    const clear = await sharp({ create: { width: 4, height: 4, channels: 4, background: "#0000" } })
      .png()
      .toBuffer();
    const { picture } = await decodeSource(clear, { background: parseColour("#f80")! });
    expect(pixelAt(picture, 1, 1)).toEqual([255, 136, 0]);
  });

  it.each(WIDE)(
    "in %s says so, and what the networks see is its colours in sRGB",
    async (_, primaries, transfer) => {
      const space = profileSpace(writeProfile(primaries, transfer));
      const shown = gradient(32, 24);
      const deep = deepOf(shown, { space, depth: 8 });
      for (const format of ["png", "webp", "avif", "jpeg"] as const) {
        const read = await decodeSource(await encodeDeep(deep, format, { quality: 100 }));
        expect(read.deep.space.icc).toEqual(space.icc);
        // JPEG is never exact; steps of these wide spaces are larger than those of sRGB.
        expect(largest(read.deep.data, deep.data)).toBeLessThanOrEqual(format === "jpeg" ? 5 : 0);
        if (format !== "jpeg") expect(largestDifference(read.picture, shown)).toBeLessThanOrEqual(4);
      }
    },
  );

  it("in Display P3 or Adobe RGB without a profile gets one, which other programs read alike", async () => {
    const numbers = gradient(16, 16);
    const files = [
      [await pngWith(numbers, pngChunk("cICP", Buffer.from([12, 13, 0, 1])))],
      [await pngWith(numbers, ...gammaAndPrimaries(256 / 563, ADOBE_RGB))],
    ] as const;
    for (const [file] of files) {
      const { deep, picture, notices } = await decodeSource(file);
      expect([deep.data, notices]).toEqual([numbers.data, []]);
      const written = await encodeDeep(deep, "png");
      // lcms, by the profile alone.
      const { data, info } = await sharp(written)
        .toColourspace("srgb")
        .raw()
        .toBuffer({ resolveWithObject: true });
      expect(
        largestDifference({ width: info.width, height: info.height, data }, picture),
      ).toBeLessThanOrEqual(1);
    }
  });

  it("with a profile that no picture can come back from gives sRGB", async () => {
    const numbers = gradient(8, 8);
    const singular: Primaries = [0.68, 0.32, 0.68, 0.32, 0.15, 0.06, ...D65];
    const profile = writeProfile(DISPLAY_P3, { kind: "gamma", exponent: 40 });
    for (const icc of [writeProfile(singular, { kind: "srgb" }), profile]) {
      const read = readProfile(icc);
      expect(read && wideSpaceOf({ kind: "profile", profile: read }, icc)).toBeUndefined();
    }
    // Too large, and one whose header says another length, which PNG does not take.
    const large = new Uint8Array(300_000);
    large.set(writeProfile(DISPLAY_P3, { kind: "srgb" }));
    new DataView(large.buffer).setUint32(0, large.length);
    const wrong = writeProfile(DISPLAY_P3, { kind: "srgb" });
    new DataView(wrong.buffer).setUint32(0, 999);
    for (const icc of [large, wrong]) {
      const tagged = await encodeDeep({ ...numbers, channels: 3, space: { ...P3, icc } }, "jpeg");
      const { deep, picture } = await decodeSource(tagged);
      expect([deep.space, deep.data]).toEqual([SRGB, picture.data]);
    }
  });

  it("that is to be turned is upright, in wide spaces and with transparency", async () => {
    const turned = await sharpOf(gradient(16, 8))
      .withIccProfile("p3")
      .withMetadata({ orientation: 6 })
      .jpeg()
      .toBuffer();
    const clear = await sharp({ create: { width: 16, height: 8, channels: 4, background: "#f008" } })
      .withMetadata({ orientation: 6 })
      .png()
      .toBuffer();
    for (const file of [turned, clear]) {
      const { deep, picture } = await decodeSource(file);
      expect([deep.width, deep.height, picture.width, picture.height]).toEqual([8, 16, 8, 16]);
    }
  });

  it("in sRGB, by whatever it is said, gives results without a profile", async () => {
    const numbers = gradient(8, 8);
    const tagged = await sharpOf(numbers).withIccProfile("srgb").png().toBuffer();
    const codes = await pngWith(numbers, pngChunk("cICP", Buffer.from([1, 13, 0, 1])));
    const plainGamma = await pngWith(numbers, ...gammaAndPrimaries(0.45455, SRGB_PRIMARIES));
    for (const file of [tagged, codes, plainGamma]) {
      const { deep } = await decodeSource(file);
      expect([deep.space, largest(deep.data, numbers.data) <= 1]).toEqual([SRGB, true]);
    }
  });

  it("of another gamma in sRGB's primaries is converted, in as many bits", async () => {
    const linear = await pngWith(gradient(8, 8), ...gammaAndPrimaries(1, SRGB_PRIMARIES));
    const { deep, picture } = await decodeSource(linear);
    expect([deep.space, deep.data]).toEqual([SRGB, picture.data]);
  });

  it("in CMYK gives sRGB, and says so", async () => {
    const file = await sharpOf(gradient(8, 8)).toColourspace("cmyk").jpeg().toBuffer();
    const { deep, notices } = await decodeSource(file);
    expect(deep.space).toBe(SRGB);
    expect(notices).toEqual(["The image has colours of print (CMYK), so the result is in sRGB."]);
  });
});

describe("a drawn picture", () => {
  it.each(WIDE)("is the same in %s of 16 bits and back", (_, primaries, transfer) => {
    const every = { width: 64, height: 64, data: noise(64, 64).data };
    const space = profileSpace(writeProfile(primaries, transfer));
    expect(pictureOfDeep(deepOf(every, { space, depth: 16 })).data).toEqual(every.data);
  });

  it("gets its transparency back, and on white it is the picture again", () => {
    const { data: levels } = noise(16, 8, 3);
    const alpha = { data: Uint8Array.from({ length: 16 * 16 }, (_, i) => levels[i]!), max: 255 };
    alpha.data[0] = 0;
    alpha.data[1] = 255;
    // What networks draw of a picture on white lies on white as well.
    const own = noise(16, 16, 5);
    const onWhite = {
      ...own,
      data: own.data.map((value, i) => {
        const share = alpha.data[Math.floor(i / 3)]! / 255;
        return Math.round(value * share + 255 * (1 - share));
      }),
    };
    for (const depth of [8, 16] as const) {
      const deep = deepOf(onWhite, { space: SRGB, depth, alpha });
      expect(deep.channels).toBe(4);
      for (let i = 0; i < alpha.data.length; i++) {
        expect(Math.round((deep.data[4 * i + 3]! * 255) / (depth === 8 ? 255 : 65_535))).toBe(alpha.data[i]);
      }
      const again = laidOn(deep, [255, 255, 255]);
      const scale = depth === 8 ? 1 : 257;
      for (let i = 0; i < onWhite.data.length; i++) {
        if (alpha.data[Math.floor(i / 3)] === 0) continue;
        expect(Math.abs(again.data[i]! / scale - onWhite.data[i]!)).toBeLessThanOrEqual(1);
      }
    }
  });

  it("has the source's outline at its own size, without rims, and its edge goes on where it is padded", () => {
    const data = Uint8Array.from({ length: 10 * 10 * 4 }, (_, i) => (i % 40 < 20 ? 255 : 0));
    const deep: DeepPicture = { width: 10, height: 10, channels: 4, data, space: SRGB };
    expect([...alphaAt(deep, deep, deep).data.subarray(0, 10)]).toEqual([
      255, 255, 255, 255, 255, 0, 0, 0, 0, 0,
    ]);
    const larger = alphaAt(deep, { width: 40, height: 40 }, { width: 44, height: 41 });
    const row = [...larger.data.subarray(0, 44)];
    expect(row.slice(0, 18).every((value) => value === 255)).toBe(true);
    expect(row.slice(22).every((value) => value === 0)).toBe(true);
    expect(row.slice(18, 22)).toEqual(row.slice(18, 22).toSorted((a, b) => b - a));
    expect(larger.data.length).toBe(44 * 41);
    const smaller = alphaAt(deep, { width: 5, height: 5 }, { width: 5, height: 5 });
    expect([smaller.data[0], smaller.data[4]]).toEqual([255, 0]);
  });
});

describe("a result's file", () => {
  it.each(["png", "webp", "avif"] as const)(
    "is exact in %s of 8 bits at the highest quality",
    async (format) => {
      for (const channels of [3, 4] as const) {
        const deep = deepNoise(channels, 8);
        const { data } = await sharp(await encodeDeep(deep, format, { quality: 100 }))
          .raw()
          .toBuffer({ resolveWithObject: true });
        expect(largest(data, deep.data)).toBe(0);
      }
    },
  );

  it("has 10 bits of 16 in AVIF, and 8 in WebP and JPEG, rounded", async () => {
    const deep = deepOf(gradient(24, 16), { space: SRGB, depth: 16 });
    const avif = await encodeDeep(deep, "avif", { quality: 100 });
    expect(await sharp(avif).metadata()).toMatchObject({ bitsPerSample: 10 });
    expect(largest((await decodeSource(avif)).deep.data, deep.data)).toBeLessThanOrEqual(65_535 / 1023);
    for (const format of ["webp", "jpeg"] as const) {
      expect(await sharp(await encodeDeep(deep, format)).metadata()).toMatchObject({ depth: "uchar" });
    }
  });

  it.each(OUTPUT_FORMATS)("in %s carries metadata and profile, and has the format's name", async (format) => {
    const xmp = '<x:xmpmeta xmlns:x="adobe:ns:meta/"><!-- ours --></x:xmpmeta>';
    for (const space of [SRGB, P3]) {
      const file = await encodeDeep(deepNoise(3, 8, space), format, { xmp });
      const found = await sharp(file).metadata();
      expect(found.format === "heif" ? found.compression : found.format).toBe(
        format === "avif" ? "av1" : format,
      );
      expect(found.xmpAsString).toContain("<!-- ours -->");
      expect(found.icc && new Uint8Array(found.icc)).toEqual(space.icc);
      expect(found.exif).toBeUndefined();
    }
  });

  it("is larger at a higher quality", async () => {
    for (const format of ["jpeg", "webp", "avif"] as const) {
      const sizes: number[] = [];
      for (const quality of [10, 60, FORMATS[format].defaultQuality]) {
        sizes.push((await encodeDeep(deepNoise(3, 8), format, { quality })).byteLength);
      }
      expect(sizes).toEqual(sizes.toSorted((a, b) => a - b));
    }
  });

  it.each([
    ["webp", 16_383],
    ["avif", 16_384],
    ["jpeg", 65_500],
  ] as const)("in %s has at most %i pixels a side", async (format, most) => {
    const strip = (width: number): DeepPicture => ({
      width,
      height: 1,
      channels: 3,
      data: new Uint8Array(3 * width),
      space: SRGB,
    });
    expect(await sharp(await encodeDeep(strip(most), format, { quality: 10 })).metadata()).toMatchObject({
      width: most,
    });
    const { name } = FORMATS[format];
    await expect(encodeDeep(strip(most + 1), format)).rejects.toThrow(
      refusal(
        "INVALID_PARAMETER",
        `format must not be ${format}: ${name} has at most ${most.toLocaleString("en-US")} pixels a side, and the result would have ${most + 1} x 1.`,
      ) as Error,
    );
  });

  it("is shown small on white, and in sRGB", async () => {
    const clear = await encodeDeep({ ...deepNoise(4, 16, P3), data: new Uint16Array(24 * 16 * 4) }, "png");
    const { data } = await sharp(await encodeThumbnail(clear, 8))
      .raw()
      .toBuffer({ resolveWithObject: true });
    expect(Math.min(...data)).toBeGreaterThanOrEqual(254);
  });
});
