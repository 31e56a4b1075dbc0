/** The size of several pictures as one, side by side, each as high as the first. */
import type { Size } from "./request.ts";

/** Far more than a network sees of it, and than most screens show. */
const MAX_PIXELS = 16e6;
/** Longer strips would leave next to nothing of each picture. */
export const MAX_ASPECT = 64;

/** Whether the whole would be at most 64 times as wide as high. */
export const isStitched = (sizes: readonly Size[]): boolean => aspectOf(sizes) <= MAX_ASPECT;

/** The sizes that pictures have in it: the first one's height, or less if there would be more than 16 million pixels. */
export function stitchedSizes(sizes: readonly Size[]): Size[] {
  const most = Math.sqrt(MAX_PIXELS / aspectOf(sizes));
  const height = Math.max(1, Math.floor(Math.min(sizes[0]!.height, most)));
  return sizes.map((size) => ({
    width: Math.max(1, Math.round((size.width * height) / size.height)),
    height,
  }));
}

/** The size of the whole. */
export function stitchedSize(sizes: readonly Size[]): Size {
  const parts = stitchedSizes(sizes);
  return { width: parts.reduce((sum, { width }) => sum + width, 0), height: parts[0]!.height };
}

const aspectOf = (sizes: readonly Size[]): number =>
  sizes.reduce((sum, { width, height }) => sum + width / height, 0);
