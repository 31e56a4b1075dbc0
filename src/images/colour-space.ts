/**
 * The colour space of a result: sRGB, or that of the source where it is RGB that reaches beyond sRGB (Display P3, Adobe
 * RGB, ProPhoto, Rec. 2020). The networks draw in sRGB; what they drew is converted, and the file says so by a profile.
 */
import { type ColourEncoding, transferCurve } from "./colour-encoding.ts";
import {
  D50,
  inverted,
  type Matrix,
  multiplied,
  toSrgbFrom,
  toXyz,
  transform,
  whiteOf,
} from "./colour-matrix.ts";
import { writeProfile } from "./icc-write.ts";
import type { Curve, Profile } from "./icc.ts";

/** Without any of its fields it is sRGB, which a file need not say. */
export interface ColourSpace {
  /** The profile that the file carries. */
  icc?: Uint8Array | undefined;
  /** What the numbers mean. */
  encoding?: ColourEncoding | undefined;
}

export const SRGB: ColourSpace = {};

/** How far a primary lies outside of sRGB, in linear light, from which a space counts as wider: sRGB's own profiles miss by 0.001. */
const OUTSIDE = 0.01;

/** A profile of matrix and curves has some kilobytes; its text and what else it holds goes into every result. */
const MAX_PROFILE_BYTES = 256 * 1024;

/** From a space's linear light to that of sRGB, and its curve for each colour. */
interface Linear {
  toSrgb: Matrix;
  curves: readonly [Curve, Curve, Curve];
}

/**
 * The space that an encoding gives to results: its own, if it is RGB wider than sRGB of which every number has a colour;
 * otherwise undefined.
 * @param icc the file's profile, if the encoding is one
 */
export function wideSpaceOf(
  encoding: ColourEncoding | undefined,
  icc: Uint8Array | undefined,
): ColourSpace | undefined {
  const linear = encoding && linearOf(encoding);
  if (linear === undefined || !linear.toSrgb.flat().some((share) => share < -OUTSIDE)) return undefined;
  if (!hasGreys(linear)) return undefined;
  return tagged(encoding!, icc);
}

function tagged(encoding: ColourEncoding, icc: Uint8Array | undefined): ColourSpace | undefined {
  if (encoding.kind === "rgb") return { icc: writeProfile(encoding.primaries, encoding.transfer), encoding };
  return icc && icc.length <= MAX_PROFILE_BYTES ? { icc: new Uint8Array(icc), encoding } : undefined;
}

/** Whether greys come back from 8 bits of the space as they went in: a profile may be made to turn every result black. */
function hasGreys({ toSrgb, curves }: Linear): boolean {
  const fromSrgb = inverted(toSrgb);
  if (!fromSrgb.flat().every((share) => Math.abs(share) < MAX_SHARE)) return false;
  const light = new Float64Array(3);
  return [1, 0.5, 0.2, 0.05].every((grey) => {
    transform(fromSrgb, grey, grey, grey, light);
    return curves.every((curve, i) => {
      const number = Math.round(255 * placeOn(curve, light[i]!)) / 255;
      return Math.abs(curve(number) - light[i]!) < 0.02;
    });
  });
}

/** Of a matrix between spaces of colours that can be seen; ProPhoto's has 2.03. */
const MAX_SHARE = 100;

/** The number, 0 to 1, of which a rising curve gives `light`, to a millionth. */
function placeOn(curve: Curve, light: number): number {
  let [low, high] = [0, 1];
  for (let i = 0; i < 20; i++) {
    const middle = (low + high) / 2;
    if (curve(middle) < light) low = middle;
    else high = middle;
  }
  return high;
}

function linearOf(encoding: ColourEncoding): Linear | undefined {
  if (encoding.kind === "profile") return linearOfProfile(encoding.profile);
  if (encoding.kind !== "rgb" || encoding.isNarrow) return undefined;
  const { primaries, transfer } = encoding;
  if (transfer.kind !== "srgb" && transfer.kind !== "gamma") return undefined;
  const curve = transferCurve(transfer);
  const toSrgb = multiplied(toSrgbFrom(whiteOf(primaries)), toXyz(primaries));
  return { toSrgb, curves: [curve, curve, curve] };
}

function linearOfProfile({ curves, colorants }: Profile): Linear | undefined {
  if (colorants === undefined) return undefined;
  const rows = [0, 1, 2].map((i) => colorants.map((colorant) => colorant[i]!)) as unknown as Matrix;
  return { toSrgb: multiplied(toSrgbFrom(D50), rows), curves };
}

/** Steps of a curve's inverse, over the square root of light: fine enough for 16 bits, and at black too. */
const STEPS = 65_535;

/** Converts sRGB's linear light, 0 to 1, to the numbers of a space, up to `max`, into `out`. */
export type FromLinear = (red: number, green: number, blue: number, out: Float64Array) => void;

/** @returns undefined for sRGB, whose curve samples.ts has */
export function fromLinear({ encoding }: ColourSpace, max: number): FromLinear | undefined {
  const linear = encoding && linearOf(encoding);
  if (linear === undefined) return undefined;
  const fromSrgb = inverted(linear.toSrgb);
  const [reds, greens, blues] = linear.curves.map((curve) => inverseOf(curve, max)) as [
    Float64Array,
    Float64Array,
    Float64Array,
  ];
  const at = (light: number): number => Math.round(STEPS * Math.sqrt(Math.min(Math.max(light, 0), 1)));
  return (red, green, blue, out) => {
    transform(fromSrgb, red, green, blue, out);
    out[0] = reds[at(out[0]!)]!;
    out[1] = greens[at(out[1]!)]!;
    out[2] = blues[at(out[2]!)]!;
  };
}

/** The number, up to `max`, whose light is the square of each step. A curve that falls somewhere counts up to there. */
function inverseOf(curve: Curve, max: number): Float64Array {
  const inverse = new Float64Array(STEPS + 1);
  let number = 0;
  let [before, after] = [curve(0), curve(1 / max)];
  for (let step = 0; step <= STEPS; step++) {
    const light = (step / STEPS) ** 2;
    while (after < light && number < max - 1) {
      number += 1;
      [before, after] = [after, Math.max(after, curve((number + 1) / max))];
    }
    const share = after > before ? (light - before) / (after - before) : 0;
    inverse[step] = Math.min(Math.max(number + share, 0), max);
  }
  return inverse;
}
