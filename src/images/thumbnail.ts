/** A smaller copy of an image, for display. */
import { loadSharp } from "./sharp.ts";

const QUALITY = 85;

/** Makes a JPEG of an image file, at most `maxSide` pixels per side. The file is one of our own: nothing is checked. */
export async function encodeThumbnail(file: Uint8Array, maxSide: number): Promise<Uint8Array> {
  const limits = { fit: "inside", withoutEnlargement: true } as const;
  const sharp = await loadSharp();
  return sharp(file).resize(maxSide, maxSide, limits).jpeg({ quality: QUALITY }).toBuffer();
}
