/** How much memory each half of the autoencoder holds while it runs, over a whole image or a tile of it. */
import type { AutoencoderSizes } from "./autoencoder-config.ts";

/** Of an image, in pixels. */
type Size = Readonly<Record<"width" | "height", number>>;

const FLOAT = 4;
/**
 * Float32 planes at full resolution, per channel of the widest residual block: a decoder's norm and convolution hold
 * four, an encoder's three; the runtime allocates memory in powers of two, which adds up to half.
 */
const DECODER_PLANES = 5;
const ENCODER_PLANES = 4;
const COLOURS = 3;
/** Copies of the pixels in float32: the runtime's, and the one that tiles are assembled in. */
const PIXEL_COPIES = 2;

/** Each level has a quarter of the pixels of the one above it; a decoder's begins with the width of the one below. */
export function decoderBytes({ decoderWidths }: AutoencoderSizes, size: Size, tileSide?: number): number {
  const widest = Math.max(
    ...decoderWidths.map((width, level) => (decoderWidths[level + 1] ?? width) / 4 ** level),
  );
  return bytesOf(DECODER_PLANES * widest, size, tileSide);
}

export function encoderBytes({ widths }: AutoencoderSizes, size: Size, tileSide?: number): number {
  const widest = Math.max(...widths.map((width, level) => width / 4 ** level));
  return bytesOf(ENCODER_PLANES * widest, size, tileSide);
}

/** @param planes float32 values per pixel that the network holds at a time */
function bytesOf(planes: number, { width, height }: Size, tileSide = Infinity): number {
  const atOnce = Math.min(width, tileSide) * Math.min(height, tileSide);
  return (planes * atOnce + PIXEL_COPIES * COLOURS * width * height) * FLOAT;
}
