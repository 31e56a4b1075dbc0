/** Conversions to and from deep pictures, with one rounding each. */
import { converterOf } from "./colour-encoding.ts";
import { type ColourSpace, fromLinear, SRGB, wideSpaceOf } from "./colour-space.ts";
import {
  BYTE,
  type DeepPicture,
  type Depth,
  depthOf,
  isSeeThrough,
  maxOf,
  samplesFor,
  withoutAlpha,
  WORD,
} from "./deep-picture.ts";
import { type Picture, type Rgb, WHITE } from "./picture.ts";
import {
  CURVE_STEPS,
  largestColour,
  type SampleMeaning,
  type Samples,
  samplesToPicture,
  srgbCurve,
} from "./samples.ts";

/**
 * From a decoder's samples: the same numbers where their space is kept, otherwise sRGB in as many bits.
 * @param icc the profile that the encoding was read from, if it is one
 */
export function deepOfSamples(
  samples: Samples,
  { encoding, isPremultiplied = false }: SampleMeaning,
  icc?: Uint8Array,
): DeepPicture {
  const space = wideSpaceOf(encoding, icc) ?? SRGB;
  const isOpaque = !isSeeThrough(samples, samples.max);
  const straight = isPremultiplied && !isOpaque ? divided(samples) : samples;
  const convert =
    space === SRGB &&
    encoding &&
    converterOf(encoding, { max: samples.max, largest: largestColour(samples) });
  const depth = samples.data instanceof Uint8Array ? 8 : 16;
  const deep = {
    ...straight,
    data: convert ? inSrgb(straight, convert, depth) : inFull(straight, depth),
    space,
  };
  const { width, height, channels, data } = deep;
  const result = { width, height, channels, data, space };
  return isOpaque ? withoutAlpha(result) : result;
}

/** Colours that are multiplied with the alpha, divided by it; invisible ones stay. */
function divided(samples: Samples): Samples {
  const { max } = samples;
  const data = samples.data.slice();
  for (let i = 0; i < data.length; i += 4) {
    const alpha = Math.min(data[i + 3]!, max);
    if (alpha === 0) continue;
    for (let k = i; k < i + 3; k++) data[k] = Math.min(Math.round((data[k]! * max) / alpha), max);
  }
  return { ...samples, data };
}

/** Numbers up to `max` as numbers of a whole 8 or 16 bits. */
function inFull({ data, max }: Samples, depth: Depth): Samples["data"] {
  const full = depth === 8 ? BYTE : WORD;
  if (max === full) return data;
  return data.map((value) => Math.round((Math.min(value, max) * full) / max)) as Samples["data"];
}

function inSrgb(
  { width, height, channels, data, max }: Samples,
  convert: ReturnType<typeof converterOf>,
  depth: Depth,
): Samples["data"] {
  const full = depth === 8 ? BYTE : WORD;
  const curve = srgbCurve();
  const light = new Float64Array(3);
  const result = samplesFor(width * height * channels, depth);
  for (let i = 0; i < data.length; i += channels) {
    convert(Math.min(data[i]!, max), Math.min(data[i + 1]!, max), Math.min(data[i + 2]!, max), light);
    for (let k = 0; k < 3; k++) {
      result[i + k] = Math.round(
        full * curve[Math.round(CURVE_STEPS * Math.min(Math.max(light[k]!, 0), 1))]!,
      );
    }
    if (channels === 4) result[i + 3] = Math.round((Math.min(data[i + 3]!, max) * full) / max);
  }
  return result;
}

/** From 8-bit sRGB, as the networks draw it: the same without transparency. */
export const plainDeep = ({ width, height, data }: Picture): DeepPicture => ({
  width,
  height,
  channels: 3,
  data,
  space: SRGB,
});

/** The other way round; undefined for what 8-bit sRGB cannot hold. */
export function plainOf({ width, height, channels, data, space }: DeepPicture): Picture | undefined {
  const isPlain = channels === 3 && data instanceof Uint8Array && space.encoding === undefined;
  return isPlain ? { width, height, data } : undefined;
}

/** A plane of opacity, 0 to `max`, as large as the picture it is for. */
export interface Alpha {
  data: Uint8Array | Uint16Array;
  max: number;
}

export interface DeepForm {
  space: ColourSpace;
  depth: Depth;
  /** Absent if the picture is opaque. */
  alpha?: Alpha | undefined;
  /** What the transparent parts were laid on before. @default white */
  background?: Rgb | undefined;
}

/**
 * A picture in sRGB in another form. With an alpha, its colours become those that give the picture again where they are
 * laid on its background; otherwise soft edges would keep a rim of that colour.
 */
export function deepOf(picture: Picture, { space, depth, alpha, background = WHITE }: DeepForm): DeepPicture {
  const { width, height, data } = picture;
  const convert = fromLinear(space, depth === 8 ? BYTE : WORD);
  if (!convert && !alpha && depth === 8) return plainDeep(picture);
  const max = depth === 8 ? BYTE : WORD;
  const channels = alpha ? 4 : 3;
  const result = samplesFor(width * height * channels, depth);
  const linear = convert && srgbLight();
  const [colour, numbers] = [new Float64Array(3), new Float64Array(3)];
  for (let pixel = 0; pixel < width * height; pixel++) {
    const [from, to] = [3 * pixel, channels * pixel];
    const share = alpha ? alpha.data[pixel]! / alpha.max : 1;
    for (let k = 0; k < 3; k++) {
      const value = data[from + k]!;
      const own = share > 0 && share < 1 ? (value - (1 - share) * background[k]!) / share : value;
      colour[k] = Math.min(Math.max(own, 0), BYTE);
    }
    if (convert && linear) {
      const at = (value: number): number => linear[Math.round((value / BYTE) * CURVE_STEPS)]!;
      convert(at(colour[0]!), at(colour[1]!), at(colour[2]!), numbers);
      for (let k = 0; k < 3; k++) result[to + k] = Math.round(numbers[k]!);
    } else {
      for (let k = 0; k < 3; k++) result[to + k] = Math.round((colour[k]! * max) / BYTE);
    }
    if (channels === 4) result[to + 3] = Math.round(share * max);
  }
  return { width, height, channels, data: result, space };
}

/** From sRGB to linear light, both 0 to 1. */
const srgbLight = (): Float64Array =>
  Float64Array.from({ length: CURVE_STEPS + 1 }, (_, i) => {
    const value = i / CURVE_STEPS;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  });

/** 8-bit sRGB on a colour: what a network, the safety check or a thumbnail sees. */
export function pictureOfDeep(deep: DeepPicture, background: Rgb = WHITE): Picture {
  const { width, height, channels, data, space } = deep;
  if (channels === 3 && space.encoding === undefined && data instanceof Uint8Array)
    return { width, height, data };
  const samples = { width, height, channels, data, max: maxOf(deep) };
  return samplesToPicture(samples, { encoding: space.encoding }, background);
}

/** Lays transparency on a colour of sRGB, in the picture's own space and depth. */
export function laidOn(deep: DeepPicture, background: Rgb = WHITE): DeepPicture {
  const { width, height, channels, data, space } = deep;
  if (channels === 3) return deep;
  const max = maxOf(deep);
  const one = { width: 1, height: 1, data: Uint8Array.from(background) };
  const behind = deepOf(one, { space, depth: depthOf(deep) }).data;
  const result = samplesFor(3 * width * height, depthOf(deep));
  for (let from = 0, to = 0; from < data.length; from += 4, to += 3) {
    const share = data[from + 3]! / max;
    for (let k = 0; k < 3; k++) {
      result[to + k] = Math.round(data[from + k]! * share + behind[k]! * (1 - share));
    }
  }
  return { width, height, channels: 3, data: result, space };
}
