/**
 * What the numbers of a picture mean, by code points (ITU-T H.273, which PNG's cICP and AVIF's nclx quote) or by PNG's
 * gamma and chromaticities, or by a profile, and their conversion to sRGB.
 */
import {
  D50,
  multiplied,
  type Primaries,
  SRGB_PRIMARIES,
  toSrgbFrom,
  toXyz,
  transform,
  type Triple,
  whiteOf,
} from "./colour-matrix.ts";
import type { Profile } from "./icc.ts";
import { toneMapper } from "./tone-mapping.ts";

export type Transfer =
  | { kind: "srgb" }
  /** Linear light is the number to this power. */
  | { kind: "gamma"; exponent: number }
  /** Perceptual quantizer (SMPTE ST 2084) and hybrid log-gamma (ARIB STD-B67): high dynamic range. */
  | { kind: "pq" }
  | { kind: "hlg" };

export type ColourEncoding =
  | { kind: "rgb"; primaries: Primaries; transfer: Transfer; isNarrow?: boolean | undefined }
  | { kind: "profile"; profile: Profile }
  /** CIE L*a*b*, white D50. Signed: a* and b* in two's complement; otherwise 128 is 0. */
  | { kind: "lab"; isSigned: boolean };

/** Converts a pixel's numbers, as stored, to sRGB in linear light, into `out`; 1 is white. */
export type Converter = (red: number, green: number, blue: number, out: Float64Array) => void;

const D65 = [0.3127, 0.329] as const;
const BT601_525: Primaries = [0.63, 0.34, 0.31, 0.595, 0.155, 0.07, ...D65];
/** H.273, table 2. */
const PRIMARIES: Readonly<Record<number, Primaries>> = {
  1: SRGB_PRIMARIES,
  2: SRGB_PRIMARIES,
  4: [0.67, 0.33, 0.21, 0.71, 0.14, 0.08, 0.31, 0.316],
  5: [0.64, 0.33, 0.29, 0.6, 0.15, 0.06, ...D65],
  6: BT601_525,
  7: BT601_525,
  8: [0.681, 0.319, 0.243, 0.692, 0.145, 0.049, 0.31, 0.316],
  9: [0.708, 0.292, 0.17, 0.797, 0.131, 0.046, ...D65],
  11: [0.68, 0.32, 0.265, 0.69, 0.15, 0.06, 0.314, 0.351],
  12: [0.68, 0.32, 0.265, 0.69, 0.15, 0.06, ...D65],
  22: [0.63, 0.34, 0.295, 0.605, 0.155, 0.077, ...D65],
};
/** H.273, table 3. Those of video (1, 6, 14, 15 and alike) are shown like sRGB, as browsers do. */
const TRANSFERS: Readonly<Record<number, Transfer>> = {
  ...Object.fromEntries([1, 2, 6, 7, 11, 12, 13, 14, 15].map((code) => [code, { kind: "srgb" as const }])),
  4: { kind: "gamma", exponent: 2.2 },
  5: { kind: "gamma", exponent: 2.8 },
  8: { kind: "gamma", exponent: 1 },
  16: { kind: "pq" },
  18: { kind: "hlg" },
};

/** The encoding of two code points, or the sentence's end that says which one is not known. */
export function encodingOfCodes(
  primaries: number,
  transfer: number,
  isNarrow = false,
): ColourEncoding | undefined | string {
  const [colours, curve] = [PRIMARIES[primaries], TRANSFERS[transfer]];
  if (colours === undefined) return `with the colour primaries ${primaries} of H.273`;
  if (curve === undefined) return `with the transfer function ${transfer} of H.273`;
  if (colours === SRGB_PRIMARIES && curve.kind === "srgb" && !isNarrow) return undefined;
  return { kind: "rgb", primaries: colours, transfer: curve, isNarrow };
}

/** What a converter is told about the samples. */
export interface SampleFacts {
  /** The largest number a sample can have: 255, or up to 65,535. */
  max: number;
  /** The largest one that a colour has. */
  largest: number;
}

/** Makes the converter of an encoding to linear light in sRGB's primaries; beyond 0 to 1 is out of its gamut. */
export function converterOf(encoding: ColourEncoding, { max, largest }: SampleFacts): Converter {
  if (encoding.kind === "lab") return labConverter(encoding.isSigned, max);
  if (encoding.kind === "profile") return profileConverter(encoding.profile, max);
  const { primaries, transfer, isNarrow = false } = encoding;
  // H.273: luma and colours from 16 to 235 of 255, and the same shares of other depths.
  const depth = (max + 1) / 256;
  const [black, white] = isNarrow ? [16 * depth, 235 * depth] : [0, max];
  const linear = Float64Array.from({ length: max + 1 }, (_, value) =>
    toLinear(transfer, Math.min(Math.max((value - black) / (white - black), 0), 1)),
  );
  const toSrgb = multiplied(toSrgbFrom(whiteOf(primaries)), toXyz(primaries));
  const luminances = toXyz(primaries)[1];
  const mapTones = toneMapper(transfer.kind, luminances, linear[largest]!);
  const light = new Float64Array(3);
  return (red, green, blue, out) => {
    light[0] = linear[red]!;
    light[1] = linear[green]!;
    light[2] = linear[blue]!;
    mapTones?.(light);
    transform(toSrgb, light[0]!, light[1]!, light[2]!, out);
  };
}

/** From a number, 0 to 1, to linear light. */
export const transferCurve =
  (transfer: Transfer) =>
  (value: number): number =>
    toLinear(transfer, value);

/** The inverse of sRGB's curve and its like, from 0 to 1. */
function toLinear(transfer: Transfer, value: number): number {
  switch (transfer.kind) {
    case "srgb":
      return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
    case "gamma":
      return value ** transfer.exponent;
    case "pq": {
      // SMPTE ST 2084, in shares of 10,000 candela per square metre.
      const power = value ** (1 / 78.84375);
      return (Math.max(power - 0.8359375, 0) / (18.8515625 - 18.6875 * power)) ** (1 / 0.1593017578125);
    }
    case "hlg":
      // ITU-R BT.2100, table 5: light of the scene.
      return value <= 0.5 ? value ** 2 / 3 : (Math.exp((value - 0.55991073) / 0.17883277) + 0.28466892) / 12;
  }
}

function profileConverter({ curves, colorants }: Profile, max: number): Converter {
  const [reds, greens, blues] = curves.map((curve) =>
    Float64Array.from({ length: max + 1 }, (_, value) => curve(value / max)),
  ) as [Float64Array, Float64Array, Float64Array];
  const rowOf = (i: number): Triple => [colorants![0][i]!, colorants![1][i]!, colorants![2][i]!];
  const toSrgb = colorants && multiplied(toSrgbFrom(D50), [rowOf(0), rowOf(1), rowOf(2)]);
  return (red, green, blue, out) => {
    if (toSrgb) transform(toSrgb, reds[red]!, greens[green]!, blues[blue]!, out);
    else out.fill(reds[red]!);
  };
}
function labConverter(isSigned: boolean, max: number): Converter {
  const toSrgb = toSrgbFrom(D50);
  const half = (max + 1) / 2;
  // a* and b* are in steps of 1, or 1/256 where there are 16 bits.
  const ofChroma = (value: number): number =>
    ((isSigned ? (value >= half ? value - max - 1 : value) : value - half) * 128) / half;
  const inverse = (t: number): number => (t > 6 / 29 ? t ** 3 : (3 * (6 / 29) ** 2 * (116 * t - 16)) / 116);
  return (lightness, a, b, out) => {
    const y = ((lightness * 100) / max + 16) / 116;
    const [x, z] = [y + ofChroma(a) / 500, y - ofChroma(b) / 200];
    transform(toSrgb, inverse(x) * D50[0], inverse(y) * D50[1], inverse(z) * D50[2], out);
  };
}
