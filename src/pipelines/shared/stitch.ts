/** Several pictures as one, side by side from left to right. */
import { isStitched, MAX_ASPECT, stitchedSize, stitchedSizes } from "../../engine/stitched-size.ts";
import { invalid } from "../../errors.ts";
import type { Picture } from "../../images/picture.ts";
import { resizePicture } from "../../images/resize.ts";

const CHANNELS = 3;

/**
 * @param pictures at least one; a single one is returned as it is
 * @throws RetouchError INVALID_PARAMETER if the whole would be more than 64 times as wide as high
 */
export async function stitchPictures(pictures: readonly Picture[]): Promise<Picture> {
  if (pictures.length === 1) return pictures[0]!;
  if (!isStitched(pictures)) {
    const reason = `side by side, the images are more than ${MAX_ASPECT} times as wide as high`;
    throw invalid("unsupported", { field: "imageLayout", reason });
  }
  const sizes = stitchedSizes(pictures);
  const { width, height } = stitchedSize(pictures);
  const data = new Uint8Array(width * height * CHANNELS);
  let left = 0;
  for (const [index, picture] of pictures.entries()) {
    const part = await resizePicture(picture, sizes[index]!.width, height);
    const rowBytes = part.width * CHANNELS;
    for (let y = 0; y < height; y += 1) {
      data.set(part.data.subarray(y * rowBytes, (y + 1) * rowBytes), (y * width + left) * CHANNELS);
    }
    left += part.width;
  }
  return { width, height, data };
}
