/** The file formats that a result can have, and what each can hold. */
import { invalid } from "../errors.ts";
import type { Depth } from "./deep-picture.ts";

export const OUTPUT_FORMATS = ["png", "jpeg", "webp", "avif"] as const;
/** A format of results. */
export type OutputFormat = (typeof OUTPUT_FORMATS)[number];

/** What a format can hold. */
export interface FormatTraits {
  /** For people. */
  name: string;
  hasAlpha: boolean;
  /** The most bits of each number. */
  bits: 8 | 10 | 16;
  /** The longest side, pixels. */
  maxSide: number;
  /** From 1 to 100; absent where a file is always exact. */
  defaultQuality?: number;
}

/** The formats of results, with what each can hold. */
export const FORMATS: Readonly<Record<OutputFormat, FormatTraits>> = {
  // https://www.w3.org/TR/png-3/#11IHDR: four bytes, of which libpng accepts a million.
  png: { name: "PNG", hasAlpha: true, bits: 16, maxSide: 1_000_000 },
  // ITU-T T.81, section B.2.2: two bytes, of which libjpeg leaves 36.
  jpeg: { name: "JPEG", hasAlpha: false, bits: 8, maxSide: 65_500, defaultQuality: 95 },
  // RFC 9649: 14 bits.
  webp: { name: "WebP", hasAlpha: true, bits: 8, maxSide: 16_383, defaultQuality: 90 },
  // libvips writes no larger one; 12 bits exist as well, but not every reader has them.
  avif: { name: "AVIF", hasAlpha: true, bits: 10, maxSide: 16_384, defaultQuality: 80 },
};

/** In how many bits samples are handed to an encoder. */
export const depthIn = (format: OutputFormat, depth: Depth): Depth => (FORMATS[format].bits > 8 ? depth : 8);

/** @throws RetouchError INVALID_PARAMETER if a result of that size cannot be a file of that format */
export function checkFormatSides(
  format: OutputFormat,
  { width, height }: { width: number; height: number },
): void {
  const { name, maxSide } = FORMATS[format];
  if (Math.max(width, height) <= maxSide) return;
  const max = maxSide.toLocaleString("en-US");
  const reason = `${name} has at most ${max} pixels a side, and the result would have ${width} x ${height}`;
  throw invalid("forbidden", { field: "format", given: format, reason });
}
