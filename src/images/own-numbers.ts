/**
 * Copying a source's own numbers into a result: its colour space, bits and transparency. What a network drew is put into
 * the same numbers; both are put together where nothing is transparent, and the alpha comes back at the end.
 */
import { alphaAt } from "./alpha.ts";
import { deepOf, laidOn } from "./convert-deep.ts";
import { type DeepPicture, depthOf, maxOf, samplesFor, withoutAlpha } from "./deep-picture.ts";
import { enlargePicture } from "./enlarge.ts";
import type { Picture } from "./picture.ts";
import { loadSharp } from "./sharp.ts";

interface Sides {
  width: number;
  height: number;
}

/** A source at the size and place that its result has. */
export interface OwnNumbers {
  /** With its transparency. */
  whole: DeepPicture;
  /** The same on white, as the networks see it: three channels. */
  flat: DeepPicture;
}

/** Whether a deep picture is more than the plain one of the same file. */
export const isMoreThanPlain = ({ channels, space, data }: DeepPicture): boolean =>
  channels === 4 || space.encoding !== undefined || data instanceof Uint16Array;

/**
 * A source that covers `place` of its result, from the top left; beyond that its edge goes on. Of the same size, it is the
 * same numbers.
 */
export async function ownNumbers(deep: DeepPicture, place: Sides, size: Sides): Promise<OwnNumbers> {
  const isPlaced = [place, size].every(({ width, height }) => width === deep.width && height === deep.height);
  const whole = isPlaced ? deep : await placed(deep, place, size);
  return { whole, flat: laidOn(whole) };
}

async function placed(deep: DeepPicture, place: Sides, size: Sides): Promise<DeepPicture> {
  const { width, height } = size;
  const colours = await resized(withoutAlpha(deep), place);
  const alpha = deep.channels === 4 ? alphaAt(deep, place, size) : undefined;
  const { channels } = deep;
  const data = samplesFor(width * height * channels, depthOf(deep));
  for (let y = 0, to = 0; y < height; y++) {
    const row = Math.min(y, place.height - 1) * place.width;
    for (let x = 0; x < width; x++, to += channels) {
      const from = 3 * (row + Math.min(x, place.width - 1));
      for (let k = 0; k < 3; k++) data[to + k] = colours[from + k]!;
      if (alpha) data[to + 3] = alpha.data[y * width + x]!;
    }
  }
  return { width, height, channels, data, space: deep.space };
}

/** As resizePicture does, in either depth. */
async function resized(deep: DeepPicture, { width, height }: Sides): Promise<DeepPicture["data"]> {
  if (width > deep.width || height > deep.height) return enlargePicture(deep, width, height).data;
  if (width === deep.width && height === deep.height) return deep.data;
  const sharp = await loadSharp();
  const isWide = depthOf(deep) === 16;
  const raw = { width: deep.width, height: deep.height, channels: 3 as const };
  const { buffer, byteOffset, byteLength } = await sharp(deep.data, { raw, limitInputPixels: false })
    .resize(width, height, { kernel: "lanczos3", fit: "fill" })
    .toColourspace(isWide ? "rgb16" : "srgb")
    .raw({ depth: isWide ? "ushort" : "uchar" })
    .toBuffer();
  if (!isWide) return new Uint8Array(buffer, byteOffset, byteLength);
  return new Uint16Array(buffer.slice(byteOffset, byteOffset + byteLength));
}

/** A drawn picture in a source's numbers, in 8 bits or as many as the source's. */
export const inNumbersOf = (picture: Picture, { space }: DeepPicture, depth: 8 | 16 = 8): DeepPicture =>
  deepOf(picture, { space, depth });

/**
 * Puts the alpha back: pixels that are those of `flat` become those of `whole`, numbers and all; others get the colour
 * that gives them again on white.
 */
export function withAlphaOf(result: DeepPicture, { whole, flat }: OwnNumbers): DeepPicture {
  if (whole.channels === 3) return result;
  const { width, height } = result;
  const max = maxOf(whole);
  const data = samplesFor(4 * width * height, depthOf(whole));
  for (let from = 0, to = 0; to < data.length; from += 3, to += 4) {
    const opacity = whole.data[to + 3]!;
    const isCopy = [0, 1, 2].every((k) => result.data[from + k] === flat.data[from + k]);
    for (let k = 0; k < 3; k++) {
      const value = result.data[from + k]!;
      const own = opacity > 0 ? max - ((max - value) * max) / opacity : value;
      data[to + k] = isCopy ? whole.data[to + k]! : Math.min(Math.max(Math.round(own), 0), max);
    }
    data[to + 3] = opacity;
  }
  return { width, height, channels: 4, data, space: whole.space };
}
