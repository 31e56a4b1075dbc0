/** Several pictures as one, side by side: each as high as the first, left to right. */
import { invalid } from "../errors.ts";
import { type Picture, plainBytes } from "./picture.ts";
import { resizePicture } from "./resize.ts";

interface Size {
  width: number;
  height: number;
}

const CHANNELS = 3;
/** Far more than a network sees of it, and than most screens show. */
const MAX_PIXELS = 16e6;
/** Longer strips would leave next to nothing of each picture. */
const MAX_ASPECT = 64;

/**
 * The sizes that pictures have in it: the first one's height, or less if there would be more than 16 million pixels.
 * @throws RetouchError INVALID_PARAMETER if the whole would be more than 64 times as wide as high
 */
export function stitchedSizes(sizes: readonly Size[]): Size[] {
  const aspect = sizes.reduce((sum, { width, height }) => sum + width / height, 0);
  if (aspect > MAX_ASPECT) {
    throw invalid("unsupported", {
      field: "imageLayout",
      reason: `side by side, the images are more than ${MAX_ASPECT} times as wide as high`,
    });
  }
  const height = Math.max(1, Math.floor(Math.min(sizes[0]?.height ?? 1, Math.sqrt(MAX_PIXELS / aspect))));
  return sizes.map((size) => ({
    width: Math.max(1, Math.round((size.width * height) / size.height)),
    height,
  }));
}

/** The size of the whole. @throws as {@link stitchedSizes} */
export function stitchedSize(sizes: readonly Size[]): Size {
  const parts = stitchedSizes(sizes);
  return { width: parts.reduce((sum, { width }) => sum + width, 0), height: parts[0]!.height };
}

/** @param pictures at least one; a single one is returned as it is @throws as {@link stitchedSizes} */
export async function stitchPictures(pictures: readonly Picture[]): Promise<Picture> {
  if (pictures.length === 1) return pictures[0]!;
  const sizes = stitchedSizes(pictures);
  const { width, height } = stitchedSize(pictures);
  const data = new Uint8Array(width * height * CHANNELS);
  let left = 0;
  for (const [index, picture] of pictures.entries()) {
    const part = await resizePicture(picture, sizes[index]!.width, height);
    const rowBytes = part.width * CHANNELS;
    const rows = plainBytes(part.data);
    for (let y = 0; y < height; y += 1) {
      data.set(rows.subarray(y * rowBytes, (y + 1) * rowBytes), (y * width + left) * CHANNELS);
    }
    left += part.width;
  }
  return { width, height, data };
}
