/**
 * An image as the checker's network sees it. The network was trained on images that TensorFlow reduced by
 * interpolating between the four nearest pixels only, with corners aligned. A better filter would give it inputs it
 * does not know.
 */
import type { Picture } from "../images/picture.ts";

const CHANNELS = 3;
const UNIT_OF_VALUE = Float32Array.from({ length: 256 }, (_, value) => value / 255);

/** Resizes a picture to a square: [1, 3, side, side], 0 to 1. The cost does not depend on the picture's size. */
export function pictureToUnitSquare(picture: Picture, side: number): Float32Array {
  const { width, height, data } = picture;
  const columns = axisOf(width, side);
  const rows = axisOf(height, side);
  const square = new Float32Array(CHANNELS * side * side);
  for (let y = 0; y < side; y += 1) {
    const upper = rows.from[y]! * width;
    const lower = rows.to[y]! * width;
    const yShare = rows.share[y]!;
    for (let x = 0; x < side; x += 1) {
      const left = columns.from[x]!;
      const right = columns.to[x]!;
      const xShare = columns.share[x]!;
      for (let channel = 0; channel < CHANNELS; channel += 1) {
        const unitAt = (pixel: number): number => UNIT_OF_VALUE[data[pixel * CHANNELS + channel]!]!;
        const top = between(unitAt(upper + left), unitAt(upper + right), xShare);
        const bottom = between(unitAt(lower + left), unitAt(lower + right), xShare);
        square[(channel * side + y) * side + x] = between(top, bottom, yShare);
      }
    }
  }
  return square;
}

const between = (a: number, b: number, share: number): number => a + (b - a) * share;

/** For each of `outSize` positions, the two pixels beside it, and its distance from the first, 0 to 1. */
function axisOf(inSize: number, outSize: number): { from: number[]; to: number[]; share: number[] } {
  const ratio = (inSize - 1) / (outSize - 1);
  const places = Array.from({ length: outSize }, (_, index) => index * ratio);
  return {
    from: places.map((place) => Math.floor(place)),
    // Rounding may carry the last position past the last pixel.
    to: places.map((place) => Math.min(Math.ceil(place), inSize - 1)),
    share: places.map((place) => place - Math.floor(place)),
  };
}
