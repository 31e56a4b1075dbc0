/** A network's result put together with the first image of its edit, in the numbers of that image's file. */
import { preserveOf, type ResolvedRequest, type Size } from "../../engine/request.ts";
import { type SizePlan, sourceInResult } from "../../engine/sizes.ts";
import { alphaAt } from "../../images/alpha.ts";
import { type Alpha, deepOf, laidOn, pictureOfDeep, plainDeep } from "../../images/convert-deep.ts";
import {
  type DeepPicture,
  depthOf,
  hasAlpha,
  inDepth,
  maxOf,
  samplesFor,
} from "../../images/deep-picture.ts";
import { type GrayPicture, padPicture, type Picture } from "../../images/picture.ts";
import { resizePicture } from "../../images/resize.ts";
import type { PreserveMode } from "../../preserve/analyse.ts";
import { compose, type Kept } from "../../preserve/compose.ts";
import { resampled, tapsOf } from "../../preserve/resample.ts";
import type { LatentSpace } from "./latent-space.ts";
import { decode, sourceAt } from "./pictures.ts";

/** An image whose pixels are to stay wherever the network merely reproduced them. */
export interface KeptSource {
  picture: Picture;
  /** The same as its file has it. @default the picture */
  deep?: DeepPicture | undefined;
  /** As the network saw it, packed. */
  latents: Float32Array;
  mode: PreserveMode;
  /** Whether a map of the result is wanted. */
  isMapped: boolean;
}

/** How a request wants its source kept. */
export function keptAs(request: ResolvedRequest): Pick<KeptSource, "mode" | "isMapped"> {
  const preserve = preserveOf(request);
  return { mode: preserve === "exact" ? "exact" : "auto", isMapped: request.isMaskWanted ?? false };
}

/** What all results of an edit are compared and put together with. */
export interface PreparedSource extends Pick<KeptSource, "mode" | "isMapped"> {
  /** At the size and place of the result, without transparency. */
  own: DeepPicture;
  /** The file's numbers with their transparency, where they differ from an 8-bit picture in sRGB. */
  deep: DeepPicture | undefined;
  /** At working size, in 8 bits of the file's space: the source, and what the autoencoder makes of it. */
  reduced: Picture;
  seen: Picture;
  plan: SizePlan;
}

/** Whether a file holds more than the picture that the networks see. */
export const isPlain = (deep: DeepPicture): boolean =>
  !hasAlpha(deep) && depthOf(deep) === 8 && deep.space.icc === undefined;

export async function prepareSource(
  space: LatentSpace,
  source: KeptSource,
  plan: SizePlan,
): Promise<PreparedSource> {
  const { mode, isMapped, picture, latents } = source;
  const deep = source.deep && isPlain(source.deep) ? undefined : source.deep;
  const laid = deep && laidOn(deep);
  const own = laid ? await deepAt(laid, plan) : plainDeep(await sourceAt(picture, plan));
  const bytes = laid ? bytesOf(laid) : picture;
  const { content } = plan.references[0]!;
  const { width, height } = plan.target.content;
  const reduced = padPicture(await resizePicture(bytes, content.width, content.height), width, height);
  const seen = inSpaceOf(own, await decode(space, latents, plan.target));
  return { own, deep, reduced, seen, mode, isMapped, plan };
}

export interface Preserved {
  picture: Picture;
  /** What is written in place of the picture, where the file holds more. */
  deep?: DeepPicture | undefined;
  kept: Kept;
}

/**
 * @param raw the network's result, at its working size
 * @param mask of the result's size: white where it may change
 */
export async function preserved(
  { own, deep, reduced, seen, mode, isMapped, plan }: PreparedSource,
  raw: Picture,
  mask: GrayPicture | undefined,
): Promise<Preserved> {
  const { picture, kept } = await compose({
    source: { ...own, channels: 3 },
    reduced,
    raw: inSpaceOf(own, raw),
    seen,
    mode,
    mask,
    isMapped,
  });
  const { width, height } = own;
  if (deep === undefined) return { picture: { width, height, data: picture.data as Uint8Array }, kept };
  const composed: DeepPicture = { width, height, channels: 3, data: picture.data, space: own.space };
  const whole = hasAlpha(deep) ? withAlphaOf(deep, composed, own, sourceInResult(plan)) : composed;
  return { picture: pictureOfDeep(whole), deep: whole, kept };
}

/** A picture in sRGB as numbers of another space, in 8 bits. */
function inSpaceOf({ space }: DeepPicture, picture: Picture): Picture {
  if (space.icc === undefined) return picture;
  return bytesOf(deepOf(picture, { space, depth: 8 }));
}

function bytesOf(deep: DeepPicture): Picture {
  const { width, height, data } = inDepth(deep, 8);
  return { width, height, data: data as Uint8Array };
}

/** The source at its size and place in the result; of its own size, every number stays. */
async function deepAt(laid: DeepPicture, plan: SizePlan): Promise<DeepPicture> {
  const place = sourceInResult(plan);
  const resized = isSameSize(place, laid) ? laid : resizedDeep(laid, place);
  return isSameSize(plan.size, resized) ? resized : padded(resized, plan.size);
}

const isSameSize = (one: Size, other: Size): boolean =>
  one.width === other.width && one.height === other.height;

function resizedDeep(deep: DeepPicture, { width, height }: Size): DeepPicture {
  const max = maxOf(deep);
  const numbers = resampled(deep, tapsOf(deep.width, width), tapsOf(deep.height, height));
  const data = samplesFor(numbers.length, depthOf(deep));
  for (let i = 0; i < data.length; i++) data[i] = Math.min(Math.max(Math.round(numbers[i]!), 0), max);
  return { ...deep, width, height, data };
}

/** Extends it to the right and down by repeating its edge. */
function padded(deep: DeepPicture, { width, height }: Size): DeepPicture {
  const data = samplesFor(width * height * 3, depthOf(deep));
  for (let y = 0, to = 0; y < height; y++) {
    const row = Math.min(y, deep.height - 1) * deep.width;
    for (let x = 0; x < width; x++, to += 3) {
      const from = 3 * (row + Math.min(x, deep.width - 1));
      for (let k = 0; k < 3; k++) data[to + k] = deep.data[from + k]!;
    }
  }
  return { ...deep, width, height, data };
}

/**
 * Gives a result its source's transparency. Where it is the source on white, number for number, it has the file's own
 * numbers; elsewhere its colours are those that give it again on white.
 */
function withAlphaOf(deep: DeepPicture, composed: DeepPicture, own: DeepPicture, place: Size): DeepPicture {
  const { width, height, data, space } = composed;
  const { data: alpha, max: opaque }: Alpha = alphaAt(deep, place, composed);
  const isExact = isSameSize(place, deep);
  const max = maxOf(composed);
  const result = samplesFor(4 * width * height, depthOf(composed));
  for (let pixel = 0, from = 0, to = 0; pixel < alpha.length; pixel++, from += 3, to += 4) {
    const [x, y] = [pixel % width, Math.floor(pixel / width)];
    const isOwn =
      isExact &&
      x < deep.width &&
      y < deep.height &&
      data[from] === own.data[from] &&
      data[from + 1] === own.data[from + 1] &&
      data[from + 2] === own.data[from + 2];
    if (isOwn) {
      const at = 4 * (y * deep.width + x);
      for (let k = 0; k < 4; k++) result[to + k] = deep.data[at + k]!;
      continue;
    }
    const share = alpha[pixel]! / opaque;
    for (let k = 0; k < 3; k++) {
      const value = data[from + k]!;
      const colour = share > 0 && share < 1 ? (value - (1 - share) * max) / share : value;
      result[to + k] = Math.min(Math.max(Math.round(colour), 0), max);
    }
    result[to + 3] = Math.round(share * max);
  }
  return { width, height, channels: 4, data: result, space };
}

/**
 * A picture of the source's size in the numbers of the source's file, which stay wherever the picture is the source.
 * @param before the source as the networks see it
 */
export function inNumbersOf(deep: DeepPicture, picture: Picture, before: Picture): DeepPicture {
  const { width, height } = picture;
  const alpha = hasAlpha(deep) ? alphaAt(deep, deep, deep) : undefined;
  const result = deepOf(picture, { space: deep.space, depth: depthOf(deep), alpha });
  const data = result.data.slice();
  const { channels } = deep;
  for (let pixel = 0; pixel < width * height; pixel++) {
    const at = 3 * pixel;
    const isSame = [0, 1, 2].every((k) => picture.data[at + k] === before.data[at + k]);
    if (!isSame) continue;
    const from = channels * pixel;
    for (let k = 0; k < channels; k++) data[from + k] = deep.data[from + k]!;
  }
  return { ...result, data };
}
