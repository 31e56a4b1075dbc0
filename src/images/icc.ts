/**
 * Colour profiles of matrix and curves, which nearly all pictures of more than 8 bits have, and of grey (ICC.1:2022).
 * sharp converts 16-bit colours to Display P3 in place of sRGB, and 16-bit grey not at all (sharp 0.35.5).
 */
import type { Triple } from "./colour-matrix.ts";

export interface Profile {
  /** Of red, green and blue, or three times that of grey. */
  curves: readonly [Curve, Curve, Curve];
  /** XYZ (white D50) of red, green and blue; none of grey. */
  colorants: readonly [Triple, Triple, Triple] | undefined;
}

/** From a number, 0 to 1, to linear light. */
export type Curve = (value: number) => number;

const HEADER_BYTES = 128;
const ENTRY_BYTES = 12;
const MAX_TAGS = 100;
/** Parameters of each kind of parametric curve (section 10.18). */
const NUM_PARAMETERS = [1, 3, 4, 5, 7] as const;

/** @returns undefined if it is damaged, or converts by a table of many dimensions. */
export function readProfile(bytes: Uint8Array): Profile | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < HEADER_BYTES + 4 || text(view, 36) !== "acsp") return undefined;
  const tags = tagsOf(view);
  // Tables precede curves where there are both.
  if (tags.has("A2B0") || tags.has("A2B1") || text(view, 20) !== "XYZ ") return undefined;
  if (text(view, 16) === "GRAY") {
    const curve = curveOf(tags.get("kTRC"));
    return curve && { curves: [curve, curve, curve], colorants: undefined };
  }
  if (text(view, 16) !== "RGB ") return undefined;
  const [red, green, blue] = ["r", "g", "b"].map((name) => curveOf(tags.get(`${name}TRC`)));
  const [x, y, z] = ["r", "g", "b"].map((name) => xyzOf(tags.get(`${name}XYZ`)));
  return red && green && blue && x && y && z && { curves: [red, green, blue], colorants: [x, y, z] };
}

function tagsOf(view: DataView): Map<string, DataView> {
  const tags = new Map<string, DataView>();
  const count = Math.min(view.getUint32(HEADER_BYTES), MAX_TAGS);
  for (let i = 0; i < count; i++) {
    const entry = HEADER_BYTES + 4 + i * ENTRY_BYTES;
    if (entry + ENTRY_BYTES > view.byteLength) break;
    const [offset, length] = [view.getUint32(entry + 4), view.getUint32(entry + 8)];
    if (offset + length > view.byteLength || length < 12) continue;
    tags.set(text(view, entry), new DataView(view.buffer, view.byteOffset + offset, length));
  }
  return tags;
}

function xyzOf(tag: DataView | undefined): Triple | undefined {
  if (tag === undefined || text(tag, 0) !== "XYZ " || tag.byteLength < 20) return undefined;
  return [fixed(tag, 8), fixed(tag, 12), fixed(tag, 16)];
}

function curveOf(tag: DataView | undefined): Curve | undefined {
  if (tag === undefined) return undefined;
  if (text(tag, 0) === "para") return parametric(tag);
  if (text(tag, 0) !== "curv") return undefined;
  const count = tag.getUint32(8);
  if (count === 0) return (value) => value;
  if (12 + 2 * count > tag.byteLength) return undefined;
  if (count === 1) {
    const gamma = tag.getUint16(12) / 256;
    return (value) => value ** gamma;
  }
  const points = Float64Array.from({ length: count }, (_, i) => tag.getUint16(12 + 2 * i) / 65_535);
  return (value) => {
    const place = value * (count - 1);
    const before = Math.min(Math.floor(place), count - 2);
    return points[before]! + (place - before) * (points[before + 1]! - points[before]!);
  };
}

function parametric(tag: DataView): Curve | undefined {
  const kind = tag.getUint16(8);
  const count = NUM_PARAMETERS[kind];
  if (count === undefined || 12 + 4 * count > tag.byteLength) return undefined;
  const [g, a = 1, b = 0, third = 0, d = 0, e = 0, f = 0] = Array.from({ length: count }, (_, i) =>
    fixed(tag, 12 + 4 * i),
  ) as [number, ...number[]];
  const power = (value: number): number => Math.max(a * value + b, 0) ** g;
  if (kind === 0) return (value) => value ** g;
  if (kind === 1) return (value) => (value >= -b / a ? power(value) : 0);
  if (kind === 2) return (value) => (value >= -b / a ? power(value) : 0) + third;
  if (kind === 3) return (value) => (value >= d ? power(value) : third * value);
  return (value) => (value >= d ? power(value) + e : third * value + f);
}

const fixed = (view: DataView, at: number): number => view.getInt32(at) / 65_536;
const text = (view: DataView, at: number): string =>
  String.fromCharCode(...[0, 1, 2, 3].map((i) => view.getUint8(at + i)));
