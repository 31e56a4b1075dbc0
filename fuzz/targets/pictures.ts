/** Pictures, as the engine process decodes them: with sharp, in a process that may die. */
import sharp, { type Sharp } from "sharp";
import { decodeSource } from "../../src/images/decode-source.ts";
import { formatOf } from "../../src/images/format.ts";
import { mutateBytes } from "../mutate/bytes.ts";
import { AVIF, fileOf, GIF, JPEG, type PieceFormat, PNG, TIFF, WEBP } from "../mutate/pieces.ts";
import type { ErrorCode } from "../../src/errors.ts";
import { Random } from "../random.ts";
import { expect, type Target, target } from "../target.ts";

const CODES: readonly ErrorCode[] = ["IMAGE_INVALID", "IMAGE_UNSUPPORTED", "IMAGE_TOO_LARGE"];
/** Decoding takes time in proportion to the pixels, up to this limit; at the service's own it may well take seconds. */
const MAX_PIXELS = 4_000_000;
const MAX_MIB = 500;
const MAX_PEAK_MIB = 1200;

/** Noise: its file is mostly pixels, whose damage decoders must find themselves. */
function noise(channels: 1 | 3 | 4, side = 24): Sharp {
  const data = new Random("noise", channels).bytes(side * side * channels);
  return sharp(data, { raw: { width: side, height: side, channels } });
}
const animation = (): Sharp => {
  const data = new Random("animation").bytes(16 * 16 * 3 * 3);
  return sharp(data, { raw: { width: 16, height: 48, channels: 3, pageHeight: 16 } as never });
};

type Samples = () => Promise<Buffer[]>;

const pngs: Samples = () =>
  Promise.all([
    noise(3).png().toBuffer(),
    noise(4).png({ progressive: true }).toBuffer(),
    noise(1).png({ palette: true }).toBuffer(),
    noise(3).png().keepIccProfile().withIccProfile("p3").withMetadata({ orientation: 6 }).toBuffer(),
    noise(3).toColourspace("rgb16").png().toBuffer(),
  ]);
const jpegs: Samples = () =>
  Promise.all([
    noise(3).jpeg().toBuffer(),
    noise(3).jpeg({ progressive: true, chromaSubsampling: "4:4:4" }).toBuffer(),
    noise(1).jpeg({ optimiseCoding: true }).toBuffer(),
    noise(3).withIccProfile("p3").withMetadata({ orientation: 3 }).jpeg().toBuffer(),
    noise(4).toColourspace("cmyk").jpeg().toBuffer(),
  ]);
const webps: Samples = () =>
  Promise.all([
    noise(3).webp().toBuffer(),
    noise(4).webp({ lossless: true }).toBuffer(),
    noise(3).withIccProfile("srgb").withMetadata({ orientation: 8 }).webp().toBuffer(),
    animation()
      .webp({ loop: 0, delay: [10, 20, 30] })
      .toBuffer(),
  ]);
const gifs: Samples = () =>
  Promise.all([noise(3).gif().toBuffer(), noise(4).gif().toBuffer(), animation().gif().toBuffer()]);
const avifs: Samples = () =>
  Promise.all([
    noise(3, 16).avif({ effort: 0 }).toBuffer(),
    noise(4, 16).avif({ effort: 0, lossless: true }).toBuffer(),
    noise(1, 16).withMetadata({ orientation: 6 }).avif({ effort: 0 }).toBuffer(),
  ]);
const tiffs: Samples = () =>
  Promise.all([
    noise(3).tiff({ compression: "none" }).toBuffer(),
    noise(4).tiff({ compression: "lzw", predictor: "horizontal" }).toBuffer(),
    noise(3).tiff({ compression: "deflate", tile: true, tileWidth: 16, tileHeight: 16 }).toBuffer(),
    noise(1).tiff({ compression: "packbits", bigtiff: true }).toBuffer(),
    noise(3).tiff({ compression: "jpeg", pyramid: true, tile: true }).toBuffer(),
    noise(1).toColourspace("b-w").tiff({ compression: "ccittfax4", bitdepth: 1 }).toBuffer(),
    noise(3).toColourspace("lab").tiff().toBuffer(),
  ]);

async function decoded(bytes: Buffer): Promise<void> {
  const { picture, deep } = await decodeSource(bytes, { maxPixels: MAX_PIXELS });
  const { width, height, data } = picture;
  expect(deep.width === width && deep.height === height, "Both forms of a picture have one size.");
  expect(deep.data.length === width * height * deep.channels, "A deep picture has all of its numbers.");
  expect(width > 0 && height > 0 && width * height <= MAX_PIXELS, `gave ${width} x ${height} pixels`);
  expect(data.length === width * height * 3, `gave ${data.length} bytes for ${width} x ${height} pixels`);
}

function pictures(name: string, samples: Samples, format: PieceFormat): Target {
  return target<Buffer>(
    {
      name,
      parser: "decodeSource, src/images/decode-source.ts",
      codes: CODES,
      maxMiB: MAX_MIB,
      maxPeakMiB: MAX_PEAK_MIB,
    },
    async () => {
      // The engine process decodes one image at a time, too.
      sharp.concurrency(1);
      sharp.cache(false);
      const corpus = await samples();
      return { generate: (random) => fileOf(corpus, format, random), feed: decoded };
    },
  );
}

/** The beginnings of all formats that are told apart, and text. */
const BEGINNINGS: readonly Buffer[] = [
  [
    "%PDF-1.7\n",
    "BM\x36\0",
    "8BPS\0\x01",
    "\0\0\x01\0",
    "\xFF\x0A",
    "\0\0\0\x0CJXL \r\n\x87\n",
    "qoif\0",
    "P6\n1 1\n255\n",
  ],
  [
    "<svg xmlns='http://www.w3.org/2000/svg'/>",
    "<?xml version='1.0'?><svg/>",
    "<!DOCTYPE html><html>",
    "II*\0\x08\0\0\0CR",
  ],
  [
    "\0\0\0\x20ftypheic\0\0\0\0mif1heic",
    "\0\0\0\x20ftypisom\0\0\0\0avc1",
    "\x1A\x45\xDF\xA3",
    "PK\x03\x04",
    "RIFF\0\0\0\0WAVE",
  ],
  ["FUJIFILMCCD-RAW ", "#?RADIANCE\n", "gimp xcf file", "\xFF\xD8\xFF", "GIF89a", "\x89PNG\r\n\x1a\n"],
]
  .flat()
  .map((text) => Buffer.from(text, "latin1"));

export const TARGETS: readonly Target[] = [
  pictures("png", pngs, PNG),
  pictures("jpeg", jpegs, JPEG),
  pictures("webp", webps, WEBP),
  pictures("gif", gifs, GIF),
  pictures("avif", avifs, AVIF),
  pictures("tiff", tiffs, TIFF),
  target<Buffer>(
    { name: "picture-format", parser: "formatOf, src/images/format.ts", codes: CODES, maxMiB: MAX_MIB },
    () => ({
      generate: (random) => mutateBytes(random.pick(BEGINNINGS), random, BEGINNINGS),
      async feed(bytes) {
        if (formatOf(bytes)?.isAccepted) await decoded(bytes);
        else
          await decoded(bytes).catch((error: { code?: ErrorCode }) =>
            expect(CODES.includes(error.code!), `threw ${error}`),
          );
      },
    }),
  ),
];
