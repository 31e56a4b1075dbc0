/** Grey images: from colours, resized, and padded. */
import { type GrayPicture, type Picture } from "./picture.ts";
import { pillowResize } from "./pillow-resize.ts";

/** The weights of ITU-R BT.601 in 16 bits, as Pillow's `convert("L")` has them. */
const [RED, GREEN, BLUE] = [19595, 38470, 7471];

export function grayOf({ width, height, data }: Picture): GrayPicture {
  const gray = new Uint8Array(width * height);
  for (let pixel = 0; pixel < gray.length; pixel += 1) {
    const from = pixel * 3;
    const sum = data[from]! * RED + data[from + 1]! * GREEN + data[from + 2]! * BLUE;
    gray[pixel] = (sum + 2 ** 15) >> 16;
  }
  return { width, height, data: gray };
}

/** Resizes as Pillow does (Lanczos); returns the same object if it has that size. */
export function resizeGray(picture: GrayPicture, width: number, height: number): GrayPicture {
  if (picture.width === width && picture.height === height) return picture;
  const { data } = pillowResize({ ...picture, channels: 1 }, { width, height });
  return { width, height, data };
}

/** Extends it to the right and down by repeating its edge. */
export function padGray(picture: GrayPicture, width: number, height: number): GrayPicture {
  if (picture.width === width && picture.height === height) return picture;
  const data = new Uint8Array(width * height);
  for (let y = 0; y < height; y += 1) {
    const from = Math.min(y, picture.height - 1) * picture.width;
    const row = data.subarray(y * width, (y + 1) * width);
    row.set(picture.data.subarray(from, from + picture.width));
    row.fill(row[picture.width - 1]!, picture.width);
  }
  return { width, height, data };
}

/** From this value on, a pixel counts as white: half, as diffusers' `binarize` rounds it. */
export const WHITE_FROM = 128;

/** White for half grey and brighter, black for the rest: diffusers' `binarize`. */
export const binarized = ({ width, height, data }: GrayPicture): GrayPicture => ({
  width,
  height,
  data: data.map((value) => (value >= WHITE_FROM ? 255 : 0)),
});
