/** How far two pictures of one size are apart, as a whole and where an edit changes something. */
import type { Picture } from "../src/index.ts";
import { areaAverage } from "./area-average.ts";

/** Side of the pictures that answers are compared at: small enough that sharpness does not count, only what is where. */
export const SMALL_SIDE = 32;
/** Decibels of equal pictures, which have none. */
export const MOST_DECIBELS = 60;
/** A pixel is edited where source and truth differ by more than this in any channel, of 255. */
const MASK_THRESHOLD = 12;
const CHANNELS = 3;

/** A picture at 32x32, for `distanceOf`. */
export const smallOf = (picture: Picture): Float64Array => areaAverage(picture, SMALL_SIDE, SMALL_SIDE);

/** The mean absolute difference, of 255. */
export function distanceOf(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += Math.abs(a[i]! - b[i]!);
  return sum / a.length;
}

/** One entry a pixel, 1 where the edit changes it. */
export type Mask = Uint8Array;

export function changeMask(source: Picture, truth: Picture): Mask {
  const mask = new Uint8Array(source.width * source.height);
  for (let i = 0; i < source.data.length; i++) {
    if (Math.abs(source.data[i]! - truth.data[i]!) > MASK_THRESHOLD) mask[Math.floor(i / CHANNELS)] = 1;
  }
  return mask;
}

export const union = (a: Mask, b: Mask): Mask => a.map((mark, pixel) => mark | b[pixel]!);
export const outside = (mask: Mask): Mask => mask.map((mark) => 1 - mark);

/** Peak signal-to-noise ratio in decibels, at most 60, over the pixels of `where`; null where it has none. */
export function decibelsOf(a: Picture, b: Picture, where?: Mask): number | null {
  const squares = meanOver(a, b, where, (difference) => difference ** 2);
  if (squares === null) return null;
  return Math.min(MOST_DECIBELS, 10 * Math.log10(255 ** 2 / squares));
}

/** The mean absolute difference over the pixels of `where`, of 255; null where it has none. */
export const changeOf = (a: Picture, b: Picture, where: Mask): number | null =>
  meanOver(a, b, where, Math.abs);

function meanOver(
  a: Picture,
  b: Picture,
  where: Mask | undefined,
  costOf: (difference: number) => number,
): number | null {
  let [sum, count] = [0, 0];
  for (let i = 0; i < a.data.length; i++) {
    if (where && where[Math.floor(i / CHANNELS)] === 0) continue;
    sum += costOf(a.data[i]! - b.data[i]!);
    count += 1;
  }
  return count === 0 ? null : sum / count;
}
