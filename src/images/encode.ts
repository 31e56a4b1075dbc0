/** From pictures to files. Encoding is part of every edit's time, so the settings below favour speed over size. */
import type { GrayPicture, Picture } from "./picture.ts";
import { loadSharp } from "./sharp.ts";

/** The file formats that a result can have. */
export type OutputFormat = "png" | "jpeg";

/**
 * A photo of 1024 x 1024 takes 1.2 MB and 49 ms; without the adaptive filter, 2.9 MB and 49 ms at level 6 or 44 ms at
 * level 2. Flat drawings take 14 KB and 14 ms, and would otherwise take 25 KB and 3 ms (Zen 4, 2 busy cores).
 */
const PNG = { compressionLevel: 3, adaptiveFiltering: true };
const JPEG = { quality: 95, chromaSubsampling: "4:4:4" };

/** Encodes a picture, with an XMP packet in the file if one is given (see metadata.ts). */
export async function encodePicture(
  picture: Picture,
  format: OutputFormat,
  xmp?: string,
): Promise<Uint8Array> {
  const sharp = await loadSharp();
  let image = sharp(picture.data, {
    raw: { width: picture.width, height: picture.height, channels: 3 },
    limitInputPixels: false,
  });
  if (xmp !== undefined) image = image.withXmp(xmp);
  const encoded = format === "png" ? image.png(PNG) : image.jpeg(JPEG);
  // Copied, because sharp may return a part of a larger shared buffer.
  return new Uint8Array(await encoded.toBuffer());
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
