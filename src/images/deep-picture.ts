/**
 * A picture as a file holds it, or as one is to be written: in 8 or 16 bits, in its own colour space, with its
 * transparency. picture.ts has the plain form that the networks see.
 */
import type { ColourSpace } from "./colour-space.ts";
import type { Picture, Rgb } from "./picture.ts";

/** Upright, rows top to bottom. */
export interface DeepPicture {
  width: number;
  height: number;
  /** Three colours, and straight alpha if there are four. */
  channels: 3 | 4;
  /** `channels` numbers per pixel: 8 bits each, of which 255 is white or opaque, or 16 bits, of which 65,535 is. */
  data: Uint8Array | Uint16Array;
  space: ColourSpace;
}

/** What an edit needs of its source's file. */
export interface DecodedSource {
  /** 8-bit sRGB without transparency: what the networks see. */
  picture: Picture;
  /** The file's own numbers, where its colour space is kept; it has alpha only where something is transparent. */
  deep: DeepPicture;
  /** Bits of each of the file's numbers: 8, 10, 12 or 16. */
  bits: number;
  /** What the result cannot have of it, as sentences. */
  notices: readonly string[];
}

export type Depth = 8 | 16;

export const BYTE = 255;
export const WORD = 65_535;

export const depthOf = ({ data }: Pick<DeepPicture, "data">): Depth => (data instanceof Uint8Array ? 8 : 16);
export const maxOf = (deep: Pick<DeepPicture, "data">): number => (depthOf(deep) === 8 ? BYTE : WORD);
export const hasAlpha = ({ channels }: Pick<DeepPicture, "channels">): boolean => channels === 4;

export const samplesFor = (length: number, depth: Depth): Uint8Array | Uint16Array =>
  depth === 8 ? new Uint8Array(length) : new Uint16Array(length);

/** Whether any pixel lets something through. */
export function isSeeThrough(
  { channels, data }: Pick<DeepPicture, "channels" | "data">,
  opaque: number,
): boolean {
  if (channels === 3) return false;
  for (let i = 3; i < data.length; i += 4) if (data[i]! < opaque) return true;
  return false;
}

/** The same colours without the alpha. */
export function withoutAlpha(deep: DeepPicture): DeepPicture {
  if (deep.channels === 3) return deep;
  const { data, width, height } = deep;
  const colours = samplesFor(3 * width * height, depthOf(deep));
  for (let from = 0, to = 0; from < data.length; from += 4, to += 3) {
    colours[to] = data[from]!;
    colours[to + 1] = data[from + 1]!;
    colours[to + 2] = data[from + 2]!;
  }
  return { ...deep, channels: 3, data: colours };
}

/** In another depth, rounded. */
export function inDepth(deep: DeepPicture, depth: Depth): DeepPicture {
  if (depthOf(deep) === depth) return deep;
  const data = samplesFor(deep.data.length, depth);
  for (let i = 0; i < data.length; i++) {
    data[i] = depth === 8 ? Math.round(deep.data[i]! / 257) : deep.data[i]! * 257;
  }
  return { ...deep, data };
}

const COLOUR = /^#(?:([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})|([0-9a-f])([0-9a-f])([0-9a-f]))$/i;

/** Reads a colour such as #ffcc00 or #fc0; undefined for anything else. */
export function parseColour(text: string): Rgb | undefined {
  const [, ...digits] = COLOUR.exec(text) ?? [];
  const parts = digits.filter((part) => part !== undefined && part !== "");
  if (parts.length !== 3) return undefined;
  const [red, green, blue] = parts.map((part) => Number.parseInt(part.padEnd(2, part), 16)) as [
    number,
    number,
    number,
  ];
  return [red, green, blue];
}
