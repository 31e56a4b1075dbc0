import { gzipSync } from "node:zlib";
import sharp from "sharp";
import { describe, expect, it } from "vitest";
import type { ErrorCode } from "../../src/errors.ts";
import { decodePicture, type DecodeOptions } from "../../src/images/decode.ts";
import { blankPng, gradient, isoMediaHead, noise, plain, randomNumbers, sharpOf } from "./samples.ts";
import { cpuMs } from "../support/cpu-time.ts";

const name = "photos/bird.png";

describe("decodePicture refuses", () => {
  it("an empty file", () =>
    expectRefusal(new Uint8Array(), "IMAGE_INVALID", "photos/bird.png is empty (0 bytes)."));

  it.each([
    ["text", Buffer.from("This is not a picture, whatever its name says.")],
    ["one byte", Buffer.from([0x89])],
    ["zeros", Buffer.alloc(4096)],
    ["random bytes", Buffer.from(noise(50, 50).data)],
    ["JSON", Buffer.from('{"image": 1}')],
  ])("what is no picture: %s", (_, bytes) =>
    expectRefusal(
      bytes,
      "IMAGE_INVALID",
      "photos/bird.png is not an image; JPEG, PNG, WebP, AVIF, GIF and TIFF are accepted.",
    ),
  );

  const formats = ["jpeg", "png", "webp", "gif", "avif", "tiff"] as const;
  it.each(formats)("a %s that is cut short", async (format) => {
    const bytes = await sharpOf(noise(120, 90)).toFormat(format).toBuffer();
    for (const part of [0.02, 0.1, 0.5, 0.9, 0.99]) {
      await expectRefusal(
        bytes.subarray(0, Math.ceil(bytes.length * part)),
        "IMAGE_INVALID",
        / is damaged or cut short: its \w+ data cannot be decoded\.$|^photos\/bird\.png is not an image/,
      );
    }
  });

  it("a large progressive JPEG and an interlaced PNG that are cut in half", async () => {
    const source = sharpOf(noise(400, 300));
    const jpeg = await source.clone().jpeg({ progressive: true }).toBuffer();
    await expectRefusal(
      jpeg.subarray(0, jpeg.length >> 1),
      "IMAGE_INVALID",
      /its JPEG data cannot be decoded/,
    );
    const png = await source.clone().png({ progressive: true }).toBuffer();
    await expectRefusal(png.subarray(0, png.length >> 1), "IMAGE_INVALID", /its PNG data cannot be decoded/);
  });

  it("keeps the decoder's words as the cause, out of the sentence", async () => {
    const bytes = await sharpOf(noise(64, 64)).png().toBuffer();
    const error = await refusalOf(bytes.subarray(0, bytes.length >> 1));
    expect(error.message).toBe("photos/bird.png is damaged or cut short: its PNG data cannot be decoded.");
    expect(String(error.cause)).toMatch(/libpng/);
  });

  it.each([
    ["an SVG drawing", "<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>", "export it as PNG"],
    ["an SVG drawing", "\uFEFF<?xml version='1.0'?>\n<!-- x --><svg:svg width='9'>", "export it as PNG"],
    ["a web page", "<!DOCTYPE html><html><body>404", "give the address of the image itself"],
    ["a PDF document", "%PDF-1.7\n%", "export the page as JPEG or PNG"],
    ["a BMP image", `BM${"\0".repeat(60)}`, "convert it to JPEG or PNG"],
    ["a Photoshop document", "8BPS\0\x01", "export it as JPEG or PNG"],
    ["a PNM image", "P6\n2 2\n255\n", "convert it to JPEG or PNG"],
    ["a ZIP archive", "PK\x03\x04....", "unpack it first"],
  ])("%s by name", (what, text, advice) =>
    expectRefusal(
      Buffer.from(text),
      "IMAGE_UNSUPPORTED",
      `photos/bird.png is ${what}, which is not accepted; ${advice}.`,
    ),
  );

  it("an SVG in UTF-16 and a compressed one", async () => {
    const svg = "<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>";
    await expectRefusal(Buffer.from(`\uFEFF${svg}`, "utf16le"), "IMAGE_UNSUPPORTED", /an SVG drawing/);
    await expectRefusal(gzipSync(svg), "IMAGE_UNSUPPORTED", /a gzip archive/);
  });

  it.each([
    ["a HEIC/HEIF image", ["heic", "mif1", "heic"]],
    ["a HEIC/HEIF image", ["mif1", "mif1", "heic", "miaf"]],
    ["a HEIC/HEIF image", ["hevc"]],
    ["a video", ["isom", "iso2", "avc1", "mp41"]],
    ["a video", ["qt  "]],
  ])("%s by its brands", (what, brands) =>
    expectRefusal(isoMediaHead(...brands), "IMAGE_UNSUPPORTED", new RegExp(`is ${what}, .*JPEG or PNG`)),
  );

  it("a camera raw file, whose first page is only a preview", async () => {
    const tiff = await plain(8, 8, [1, 2, 3]).tiff({ compression: "none" }).toBuffer();
    await expectRefusal(
      asPreview(tiff),
      "IMAGE_UNSUPPORTED",
      /is a camera raw file, .*develop it to JPEG or TIFF/,
    );
  });

  it("30,000 x 30,000 pixels in a small file, at once and without decoding them", async () => {
    const bytes = blankPng(30_000, 30_000);
    expect(bytes.length).toBeLessThan(1_000_000);
    const started = cpuMs();
    const before = process.memoryUsage().rss;
    await expectRefusal(
      bytes,
      "IMAGE_TOO_LARGE",
      "photos/bird.png has 30000 x 30000 = 900,000,000 pixels; at most 64,000,000 are accepted.",
    );
    expect(cpuMs() - started).toBeLessThan(2000);
    expect(process.memoryUsage().rss - before).toBeLessThan(200e6);
  });

  it("one pixel more than a limit of its own, and accepts exactly that limit", async () => {
    const bytes = await sharpOf(gradient(20, 10)).webp().toBuffer();
    expect((await decodePicture(bytes, { maxPixels: 200 })).width).toBe(20);
    await expectRefusal(bytes, "IMAGE_TOO_LARGE", /has 20 x 10 = 200 pixels; at most 199 are/, {
      maxPixels: 199,
    });
  });
});

describe("decodePicture survives", () => {
  it.each(["jpeg", "png", "webp", "gif", "avif", "tiff"] as const)(
    "a %s with bits flipped: a picture or a refusal, and nothing else",
    async (format) => {
      const bytes = await sharpOf(noise(48, 40)).toFormat(format, { effort: 1 }).toBuffer();
      const random = randomNumbers(7);
      for (let round = 0; round < 60; round++) {
        const damaged = Buffer.from(bytes);
        for (let flip = 0; flip <= round % 4; flip++) {
          // Half of them in the header, where lengths and offsets are.
          const reach = round % 2 === 0 ? Math.min(200, damaged.length) : damaged.length;
          damaged[Math.floor(random() * reach)]! ^= 1 << Math.floor(random() * 8);
        }
        await decodePicture(damaged, { maxPixels: 1_000_000 }).then(
          (picture) => expect(picture.data.length).toBe(picture.width * picture.height * 3),
          (error) => expect(error.code).toMatch(/^IMAGE_(INVALID|UNSUPPORTED|TOO_LARGE)$/),
        );
      }
    },
  );

  it("any beginning of a file", async () => {
    const encoded = await Promise.all(
      (["jpeg", "png", "webp", "gif", "avif", "tiff"] as const).map((format) =>
        plain(4, 4, [200, 30, 60])
          .toFormat(format, { compression: format === "avif" ? "av1" : "none" })
          .toBuffer(),
      ),
    );
    const bigTiff = await plain(4, 4, [200, 30, 60]).tiff({ bigtiff: true }).toBuffer();
    for (const bytes of [
      ...encoded,
      bigTiff,
      await manyWebpFrames(2),
      isoMediaHead("heic"),
      isoMediaHead("isom"),
    ]) {
      for (let length = 0; length < Math.min(bytes.length - 1, 72); length++) {
        expect((await refusalOf(bytes.subarray(0, length))).code).toMatch(/^IMAGE_(INVALID|UNSUPPORTED)$/);
      }
    }
  });

  it("100,000 frames or pages, of which it decodes one", async () => {
    const files = {
      GIF: await manyGifFrames(100_000),
      WebP: await manyWebpFrames(100_000),
      TIFF: manyTiffPages(100_000),
    };
    for (const [format, bytes] of Object.entries(files)) {
      const started = cpuMs();
      const decoded = await decodePicture(bytes);
      expect([format, decoded.width, decoded.height]).toEqual([format, 4, 4]);
      expect(cpuMs() - started).toBeLessThan(5000);
    }
  });

  it("an animated WebP that is cut short, after its first frame too", async () => {
    const bytes = await manyWebpFrames(100_000);
    for (const length of [100, bytes.length >> 1, bytes.length - 3]) {
      await expectRefusal(bytes.subarray(0, length), "IMAGE_INVALID", /its WebP data cannot be decoded/);
    }
  });
});

/** Adds NewSubfileType = 1 to a little-endian TIFF, by way of the first entry of its directory. */
function asPreview(tiff: Buffer): Buffer {
  const changed = Buffer.from(tiff);
  const entry = changed.readUInt32LE(4) + 2;
  changed.writeUInt16LE(254, entry);
  changed.writeUInt16LE(4, entry + 2);
  changed.writeUInt32LE(1, entry + 4);
  changed.writeUInt32LE(1, entry + 8);
  return changed;
}

async function manyGifFrames(count: number): Promise<Buffer> {
  const file = await plain(4, 4, [200, 30, 60]).gif().toBuffer();
  const start = file.indexOf(Buffer.from([0x21, 0xf9]));
  const frames = Array.from({ length: count }, () => file.subarray(start, -1));
  return Buffer.concat([file.subarray(0, start), ...frames, Buffer.from([0x3b])]);
}

async function manyWebpFrames(count: number): Promise<Buffer> {
  const two = await Promise.all([200, 100].map((red) => plain(4, 4, [red, 30, 60]).png().toBuffer()));
  const file = await sharp(two, { join: { animated: true } })
    .webp({ lossless: true })
    .toBuffer();
  const start = file.indexOf("ANMF");
  const frame = file.subarray(start, start + 8 + file.readUInt32LE(start + 4));
  const whole = Buffer.concat([file.subarray(0, start), ...Array.from({ length: count }, () => frame)]);
  whole.writeUInt32LE(whole.length - 8, 4);
  return whole;
}

/** Grey pages of 4 x 4 pixels that share their 16 bytes of data, which follow the header. */
function manyTiffPages(count: number): Buffer {
  const tags = [256, 4, 257, 4, 258, 8, 259, 1, 262, 1, 273, 8, 277, 1, 278, 4, 279, 16];
  const pageBytes = 2 + 6 * tags.length + 4;
  const file = Buffer.alloc(24 + count * pageBytes);
  file.write("II\x2A\0\x18", "latin1");
  for (let page = 0, at = 24; page < count; page++, at += pageBytes) {
    file.writeUInt16LE(tags.length / 2, at);
    for (let i = 0; i < tags.length; i += 2) {
      const entry = at + 2 + 6 * i;
      file.writeUInt16LE(tags[i]!, entry);
      file.writeUInt16LE(4, entry + 2);
      file.writeUInt32LE(1, entry + 4);
      file.writeUInt32LE(tags[i + 1]!, entry + 8);
    }
    if (page < count - 1) file.writeUInt32LE(at + pageBytes, at + pageBytes - 4);
  }
  return file;
}

async function refusalOf(bytes: Uint8Array, options?: DecodeOptions): Promise<Error & { code: ErrorCode }> {
  return decodePicture(bytes, { name, ...options }).then(
    () => expect.fail("it was accepted"),
    (error) => error,
  );
}

async function expectRefusal(
  bytes: Uint8Array,
  code: ErrorCode,
  message: string | RegExp,
  options?: DecodeOptions,
): Promise<void> {
  const error = await refusalOf(bytes, options);
  expect(error.code).toBe(code);
  if (typeof message === "string") expect(error.message).toBe(message);
  else expect(error.message).toMatch(message);
  expect(error.message).toMatch(/^photos\/bird\.png .*\.$/);
}
