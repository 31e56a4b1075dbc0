/** From a decoder's samples to 8-bit sRGB on white, with one rounding at the end. */
import { type ColourEncoding, converterOf } from "./colour-encoding.ts";
import type { Picture } from "./picture.ts";

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
const WHITE = 255;
/** Steps of the table of sRGB's curve: fine enough that a rounding in it moves no result by more than 0.06. */
const CURVE_STEPS = 65_535;

export function samplesToPicture(samples: Samples, { encoding, isPremultiplied }: SampleMeaning): Picture {
  const { width, height, channels, data, max } = samples;
  const result = new Uint8Array(width * height * CHANNELS);
  const straight = isPremultiplied && channels === 4 ? divided(samples) : data;
  const colours = encoding && convertedBy(encoding, samples, straight);
  const top = colours === undefined ? max : WHITE;
  for (let pixel = 0, from = 0, to = 0; pixel < width * height; pixel++, from += channels, to += CHANNELS) {
    const alpha = channels === 4 ? Math.min(data[from + CHANNELS]! / max, 1) : 1;
    for (let i = 0; i < CHANNELS; i++) {
      const colour = (colours === undefined ? straight[from + i]! : colours[to + i]!) / top;
      result[to + i] = Math.round(WHITE * Math.min(colour * alpha + (1 - alpha), 1));
    }
  }
  return { width, height, data: result };
}

/** Colours over 0 to 255, not rounded: half-transparent ones are still to be laid on white. */
function convertedBy(
  encoding: ColourEncoding,
  { channels, max }: Samples,
  data: Samples["data"],
): Float32Array {
  let largest = 0;
  for (let i = 0; i < data.length; i++) {
    if (channels === 3 || i % 4 !== 3) largest = Math.max(largest, data[i]!);
  }
  const convert = converterOf(encoding, { max, largest });
  const curve = Float32Array.from({ length: CURVE_STEPS + 1 }, (_, i) => WHITE * srgbOf(i / CURVE_STEPS));
  const colours = new Float32Array((data.length / channels) * CHANNELS);
  const light = new Float64Array(CHANNELS);
  for (let from = 0, to = 0; to < colours.length; from += channels, to += CHANNELS) {
    convert(data[from]!, data[from + 1]!, data[from + 2]!, light);
    for (let i = 0; i < CHANNELS; i++) {
      colours[to + i] = curve[Math.round(Math.min(Math.max(light[i]!, 0), 1) * CURVE_STEPS)]!;
    }
  }
  return colours;
}

const srgbOf = (linear: number): number =>
  linear <= 0.0031308 ? linear * 12.92 : 1.055 * linear ** (1 / 2.4) - 0.055;

/** Colours that were multiplied with their alpha, divided by it again. */
function divided({ data, max }: Samples): Samples["data"] {
  const straight = data.slice();
  for (let i = 0; i < data.length; i += 4) {
    const alpha = data[i + 3]!;
    if (alpha === 0) continue;
    for (let k = 0; k < CHANNELS; k++) {
      straight[i + k] = Math.min(Math.round((data[i + k]! * max) / alpha), max);
    }
  }
  return straight;
}
