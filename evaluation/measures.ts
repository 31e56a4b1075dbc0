/**
 * How far apart two images of one size are, as a whole and where an edit changes something; and from that, whether a
 * result is what was asked for.
 */
import type { Picture } from "../src/index.ts";

/** The side at which answers are compared: so small that sharpness does not count, only what is where. */
export const SMALL_SIDE = 32;
/** The decibels of equal images, whose true value is infinite. */
export const MOST_DECIBELS = 60;
/** A pixel is edited where source and truth differ by more than this in any channel, of 255. */
const MASK_THRESHOLD = 12;
const CHANNELS = 3;

/** An image at 32x32, for `distanceOf`. */
export const smallOf = (picture: Picture): Float64Array => areaAverage(picture, SMALL_SIDE, SMALL_SIDE);

/** The mean absolute difference, of 255. */
export function distanceOf(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += Math.abs(a[i]! - b[i]!);
  return sum / a.length;
}

/** One entry per pixel, 1 where the edit changes it. */
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

/** What a result is compared with, all at the size at which the network draws. */
export interface Answers {
  /** Whether the instruction asks for nothing: the truth is the source. */
  isNothing: boolean;
  source: Picture;
  truth: Picture;
  /** The answers to other instructions for the same source, at 32x32. */
  candidates: readonly ArrayLike<number>[];
}

export interface Judgement {
  isFollowed: boolean;
  /** At 32x32, of 255: to the truth, and how much farther it is to the nearest wrong answer. */
  distance: number;
  margin: number;
  /** Decibels to the truth outside what the edit changes and inside; null where there is no such pixel. */
  kept: number | null;
  changed: number | null;
  /** Mean absolute difference to the source inside what the edit changes, of 255. */
  change: number | null;
}

/** A result of "nothing" must be at least this close to its source, in decibels. */
const NOTHING_DECIBELS = 27;

export function judge(result: Picture, { isNothing, source, truth, candidates }: Answers): Judgement {
  const small = smallOf(result);
  const distance = distanceOf(small, smallOf(truth));
  const wrong = isNothing ? candidates : [smallOf(source), ...candidates];
  const margin = Math.min(...wrong.map((answer) => distanceOf(small, answer))) - distance;
  // A tie with a wrong answer does not count.
  const isNearest = margin > 0;
  const mask = changeMask(source, truth);
  return {
    isFollowed: isNearest && (!isNothing || decibelsOf(result, source)! >= NOTHING_DECIBELS),
    distance,
    margin,
    kept: decibelsOf(result, truth, outside(mask)),
    changed: decibelsOf(result, truth, mask),
    change: changeOf(result, source, mask),
  };
}

/**
 * Reduces an image: each new pixel is the mean of the area under it; a pixel at the area's edge counts by the part inside.
 * @returns red, green and blue of each pixel, 0 to 255 and not rounded, rows top to bottom
 */
export function areaAverage(picture: Picture, width: number, height: number): Float64Array {
  const across = sharesOf(picture.width, width);
  const down = sharesOf(picture.height, height);
  // One direction after the other: [height, width of the image], then [height, width].
  const flat = new Float64Array(height * picture.width * CHANNELS);
  const rowLength = picture.width * CHANNELS;
  for (const { from, to, share } of down) {
    for (let i = 0; i < rowLength; i++) {
      flat[to * rowLength + i]! += share * picture.data[from * rowLength + i]!;
    }
  }
  const averages = new Float64Array(height * width * CHANNELS);
  for (let y = 0; y < height; y++) {
    for (const { from, to, share } of across) {
      for (let channel = 0; channel < CHANNELS; channel++) {
        averages[(y * width + to) * CHANNELS + channel]! +=
          share * flat[(y * picture.width + from) * CHANNELS + channel]!;
      }
    }
  }
  return averages;
}

/** The same as an image; one that already has the size is returned as it is. */
export function reducePicture(picture: Picture, width: number, height: number): Picture {
  if (picture.width === width && picture.height === height) return picture;
  const data = Uint8Array.from(areaAverage(picture, width, height), (value) => Math.round(value));
  return { width, height, data };
}

interface Share {
  from: number;
  to: number;
  /** How much of the new pixel is in the old one. */
  share: number;
}

/** Which old pixels of a line make which new ones. */
function sharesOf(oldLength: number, newLength: number): Share[] {
  const shares: Share[] = [];
  for (let to = 0; to < newLength; to++) {
    // Whole numbers, in units of 1 / (oldLength * newLength) of the line, so that no share is a rounding error.
    const [start, end] = [to * oldLength, (to + 1) * oldLength];
    for (let from = Math.floor(start / newLength); from * newLength < end; from++) {
      const covered = Math.min(end, (from + 1) * newLength) - Math.max(start, from * newLength);
      shares.push({ from, to, share: covered / oldLength });
    }
  }
  return shares;
}
