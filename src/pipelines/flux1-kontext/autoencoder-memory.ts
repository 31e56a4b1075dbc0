/** What the halves of the autoencoder hold while they run, over a whole image or a tile of it. */
import type { Size } from "../../engine/request.ts";
import type { AutoencoderConfig } from "../../models/autoencoders/autoencoder-kl.ts";

const FLOAT = 4;
/**
 * Planes of float32 at full resolution, in widths of the widest residual block: a decoder's norm and convolution hold
 * four, an encoder's three; regions of the runtime's memory are powers of two, which adds up to half.
 */
const DECODER_PLANES = 5;
const ENCODER_PLANES = 4;
const COLOURS = 3;
/** Of the pixels in float32: the runtime's, and those that tiles are put together in. */
const PIXEL_COPIES = 2;

/** A level has a quarter of the pixels of the one above it; a decoder's begins with the width of the one below. */
export function decoderBytes({ widths }: AutoencoderConfig, size: Size, tileSide?: number): number {
  const widest = Math.max(...widths.map((width, level) => (widths[level + 1] ?? width) / 4 ** level));
  return bytesOf(DECODER_PLANES * widest, size, tileSide);
}

export function encoderBytes({ widths }: AutoencoderConfig, size: Size, tileSide?: number): number {
  const widest = Math.max(...widths.map((width, level) => width / 4 ** level));
  return bytesOf(ENCODER_PLANES * widest, size, tileSide);
}

/** @param planes per pixel that is in the network at a time */
function bytesOf(planes: number, { width, height }: Size, tileSide = Infinity): number {
  const atOnce = Math.min(width, tileSide) * Math.min(height, tileSide);
  return (planes * atOnce + PIXEL_COPIES * COLOURS * width * height) * FLOAT;
}
