/** Resizes pictures: sharp reduces them, and enlarge.ts enlarges them, keeping them in place. */
import { enlargePicture } from "./enlarge.ts";
import { type Picture, plainBytes } from "./picture.ts";
import { loadSharp } from "./sharp.ts";

/** Resizes a picture to exactly `width` x `height` pixels (Lanczos); returns the same object if it has that size. */
export async function resizePicture(picture: Picture, width: number, height: number): Promise<Picture> {
  if (picture.width === width && picture.height === height) return picture;
  if (width > picture.width || height > picture.height) return enlargePicture(picture, width, height);
  const sharp = await loadSharp();
  const { data } = await sharp(picture.data, {
    raw: { width: picture.width, height: picture.height, channels: 3 },
    limitInputPixels: false,
  })
    .resize(width, height, { kernel: "lanczos3", fit: "fill" })
    .raw()
    .toBuffer({ resolveWithObject: true });
  return { width, height, data: plainBytes(data) };
}
