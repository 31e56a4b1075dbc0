/** A smaller copy of an image, for display. */
import { decodePicture } from "./decode.ts";
import { loadSharp } from "./sharp.ts";

const QUALITY = 85;

/** Makes a JPEG in sRGB, on white, of an image file, at most `maxSide` pixels per side. */
export async function encodeThumbnail(file: Uint8Array, maxSide: number): Promise<Uint8Array> {
  const limits = { fit: "inside", withoutEnlargement: true } as const;
  const sharp = await loadSharp();
  // Decoded as sources are: sharp itself would lay transparency on black, and take 16 bits for another space.
  const { width, height, data } = await decodePicture(file);
  return sharp(data, { raw: { width, height, channels: 3 }, limitInputPixels: false })
    .resize(maxSide, maxSide, limits)
    .jpeg({ quality: QUALITY })
    .toBuffer();
}
