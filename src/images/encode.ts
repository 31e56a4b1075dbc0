/** From pictures to files. Encoding is part of every edit's time, so the settings below favour speed over size. */
import type { Sharp } from "sharp";
import { plainDeep, plainOf } from "./convert-deep.ts";
import { type DeepPicture, depthOf, hasAlpha, inDepth } from "./deep-picture.ts";
import { checkFormatSides, depthIn, FORMATS, type OutputFormat } from "./output-format.ts";
import type { GrayPicture, Picture } from "./picture.ts";
import { withXmpChunk } from "./png-chunks.ts";
import { loadSharp } from "./sharp.ts";
import { encodeSmoothPng } from "./smooth-png.ts";
import { taggedTiff } from "./tagged-tiff.ts";

/**
 * A photo of 1024 x 1024 takes 1.2 MB and 49 ms; without the adaptive filter, 2.9 MB and 49 ms at level 6 or 44 ms at
 * level 2. Flat drawings take 14 KB and 14 ms, and would otherwise take 25 KB and 3 ms (Zen 4, 2 busy cores).
 */
const PNG = { compressionLevel: 3, adaptiveFiltering: true };
/**
 * examples/teapot.png and docs/images/playground.jpg at 1024 x 1024, 2 cores: WebP of quality 90 takes 13 and 57 KB, 0.1 s, and
 * is 44.3 and 44.9 dB from the picture (finer colours, 45.0 and 45.7 dB, would take four times as long); AVIF of quality 80 at
 * effort 2 takes 9 and 56 KB, 0.4 and 0.8 s, 51.2 and 46.4 dB. Effort 4 of AVIF would take 2.5 and 4.6 s for up to 0.9 dB.
 */
const WEBP_EFFORT = 4;
const AVIF_EFFORT = 2;
const FULL_COLOUR = { chromaSubsampling: "4:4:4" };
/** Of WebP and AVIF: the quality from which every number is exact. */
const LOSSLESS = 100;

export interface EncodeOptions {
  /** An XMP packet for the file (see metadata.ts). */
  xmp?: string | undefined;
  /** 1 to 100, of formats that have it; at 100, WebP and AVIF of 8 bits are exact. @default the format's own */
  quality?: number | undefined;
  /** Whether the picture was enlarged to at least twice its sides: its PNG may then take less time. @default false */
  isEnlarged?: boolean | undefined;
}

/** Encodes a picture, with an XMP packet in the file if one is given. */
export async function encodePicture(
  picture: Picture,
  format: OutputFormat,
  xmp?: string,
): Promise<Uint8Array> {
  return encodeDeep(plainDeep(picture), format, { xmp });
}

/**
 * Encodes a deep picture, with its colour profile if it has one, in as many bits as it and the format have.
 * @throws RetouchError INVALID_PARAMETER if the format has no such sides; RangeError for transparency where it has none
 */
export async function encodeDeep(
  deep: DeepPicture,
  format: OutputFormat,
  { xmp, quality = FORMATS[format].defaultQuality, isEnlarged = false }: EncodeOptions = {},
): Promise<Uint8Array> {
  checkFormatSides(format, deep);
  if (hasAlpha(deep) && !FORMATS[format].hasAlpha) throw new RangeError(`${format} has no transparency.`);
  const plain = format === "png" && isEnlarged ? plainOf(deep) : undefined;
  const smooth = plain && (await encodeSmoothPng(plain, xmp));
  if (smooth) return smooth;
  const given = inDepth(deep, depthIn(format, depthOf(deep)));
  let image = await readerOfDeep(given);
  const isPacketLast = xmp !== undefined && format === "png";
  if (xmp !== undefined && !isPacketLast) image = image.withXmp(xmp);
  const file = await encoderOf(image, format, depthOf(given) === 16, quality).toBuffer();
  // Copied, because sharp may return a part of a larger shared buffer.
  return isPacketLast ? withXmpChunk(file, xmp) : new Uint8Array(file);
}

async function readerOfDeep(deep: DeepPicture): Promise<Sharp> {
  const { width, height, channels, data, space } = deep;
  const sharp = await loadSharp();
  const image = space.icc
    ? sharp(taggedTiff(deep, space.icc), { limitInputPixels: false }).keepIccProfile()
    : sharp(data, { raw: { width, height, channels }, limitInputPixels: false });
  return depthOf(deep) === 16 ? image.toColourspace("rgb16") : image;
}

function encoderOf(image: Sharp, format: OutputFormat, isDeep: boolean, quality = LOSSLESS): Sharp {
  const lossless = quality === LOSSLESS;
  switch (format) {
    case "png":
      return image.png(PNG);
    case "jpeg":
      return image.jpeg({ ...FULL_COLOUR, quality });
    case "webp":
      return image.webp(lossless ? { lossless, exact: true, effort: 2 } : { quality, effort: WEBP_EFFORT });
    case "avif":
      return image.avif({
        ...FULL_COLOUR,
        quality,
        lossless,
        effort: AVIF_EFFORT,
        bitdepth: isDeep ? 10 : 8,
      });
  }
}

const MASK_STEP = 255 / 15;

/** A mask as a PNG in 16 shades, enough for soft edges and half the file size: about 10 to 25 KB at 1024 x 1024. */
export async function encodeMask({ width, height, data }: GrayPicture): Promise<Uint8Array> {
  const shades = data.map((value) => Math.round(value / MASK_STEP) * MASK_STEP);
  const sharp = await loadSharp();
  const image = sharp(shades, { raw: { width, height, channels: 1 }, limitInputPixels: false });
  return image.toColourspace("b-w").png({ compressionLevel: 9 }).toBuffer();
}

/** A grey picture as a PNG, as it is. */
export async function encodeMap({ width, height, data }: GrayPicture): Promise<Uint8Array> {
  const sharp = await loadSharp();
  const image = sharp(data, { raw: { width, height, channels: 1 }, limitInputPixels: false });
  return new Uint8Array(await image.toColourspace("b-w").png({ compressionLevel: 3 }).toBuffer());
}

const PREVIEW_SIDE = 256;
const PREVIEW_BYTES = 6000;
const PREVIEW_QUALITIES = [75, 50, 25, 10];

/** A small JPEG of a picture: at most 256 pixels per side and, unless it is all noise, 6,000 bytes. */
export async function encodePreview({ width, height, data }: Picture): Promise<Uint8Array> {
  const sharp = await loadSharp();
  const image = sharp(data, { raw: { width, height, channels: 3 } }).resize(PREVIEW_SIDE, PREVIEW_SIDE, {
    fit: "inside",
    withoutEnlargement: true,
  });
  let bytes = new Uint8Array();
  for (const quality of PREVIEW_QUALITIES) {
    bytes = await image.jpeg({ quality }).toBuffer();
    if (bytes.byteLength <= PREVIEW_BYTES) break;
  }
  return bytes;
}

/** A small picture in the format of a result; as JPEG where that is AVIF, which takes long to write. */
export async function encodePartial(
  { width, height, data }: Picture,
  format: OutputFormat,
): Promise<{ bytes: Uint8Array; type: string }> {
  const sharp = await loadSharp();
  const image = sharp(data, { raw: { width, height, channels: 3 } });
  if (format === "png") return { bytes: await image.png().toBuffer(), type: "image/png" };
  if (format === "webp") return { bytes: await image.webp().toBuffer(), type: "image/webp" };
  return { bytes: await image.jpeg().toBuffer(), type: "image/jpeg" };
}
