/** From a decoder's samples to 8-bit sRGB on a colour, with one rounding at the end. */
import { type ColourEncoding, converterOf } from "./colour-encoding.ts";
import { type Picture, type Rgb, WHITE } from "./picture.ts";

export interface Samples {
  width: number;
  height: number;
  /** Three colours, and alpha if there are four. */
  channels: 3 | 4;
  data: Uint8Array | Uint16Array;
  /** The number of white, and of opaque alpha. */
  max: number;
}

export interface SampleMeaning {
  /** @default sRGB */
  encoding?: ColourEncoding | undefined;
  /** @default false */
  isPremultiplied?: boolean | undefined;
}

const CHANNELS = 3;
const BYTE = 255;
/** Steps of the table of sRGB's curve: fine enough that a rounding in it moves no result by more than 0.06. */
export const CURVE_STEPS = 65_535;

export function samplesToPicture(
  samples: Samples,
  { encoding, isPremultiplied = false }: SampleMeaning,
  background: Rgb = WHITE,
): Picture {
  const { width, height, channels, data, max } = samples;
  const result = new Uint8Array(width * height * CHANNELS);
  const convert = encoding && converterOf(encoding, { max, largest: largestColour(samples) });
  const curve = convert && srgbCurve();
  const behind = background.map((value) => value / BYTE);
  const [colour, light] = [new Uint16Array(CHANNELS), new Float64Array(CHANNELS)];
  for (let from = 0, to = 0; to < result.length; from += channels, to += CHANNELS) {
    const opacity = channels === 4 ? Math.min(data[from + CHANNELS]!, max) : max;
    const divisor = isPremultiplied && opacity > 0 ? opacity : max;
    for (let i = 0; i < CHANNELS; i++) {
      colour[i] = Math.min(
        divisor === max ? data[from + i]! : Math.round((data[from + i]! * max) / divisor),
        max,
      );
    }
    convert?.(colour[0]!, colour[1]!, colour[2]!, light);
    const alpha = opacity / max;
    for (let i = 0; i < CHANNELS; i++) {
      const level = curve ? curve[Math.round(CURVE_STEPS * within(light[i]!))]! : colour[i]! / max;
      result[to + i] = Math.round(BYTE * (level * alpha + behind[i]! * (1 - alpha)));
    }
  }
  return { width, height, data: result, ...(isOfHighRange(encoding) && { isToneMapped: true }) };
}

export const isOfHighRange = (encoding: ColourEncoding | undefined): boolean =>
  encoding?.kind === "rgb" && (encoding.transfer.kind === "pq" || encoding.transfer.kind === "hlg");

export function largestColour({ channels, data, max }: Samples): number {
  let largest = 0;
  for (let i = 0; i < data.length; i++) {
    if (data[i]! > largest && (channels === 3 || i % 4 !== 3)) largest = data[i]!;
  }
  return Math.min(largest, max);
}

const within = (light: number): number => Math.min(Math.max(light, 0), 1);

/** From linear light to sRGB, both 0 to 1; as many steps as `CURVE_STEPS` and one. */
export const srgbCurve = (): Float64Array =>
  Float64Array.from({ length: CURVE_STEPS + 1 }, (_, i) => srgbOf(i / CURVE_STEPS));

const srgbOf = (linear: number): number =>
  linear <= 0.0031308 ? linear * 12.92 : 1.055 * linear ** (1 / 2.4) - 0.055;
