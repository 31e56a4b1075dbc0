/**
 * Pillow's Gaussian blur of a grey image (Pillow 13.0, `src/libImaging/BoxBlur.c`), number for number: three box blurs
 * whose radius has a fraction (Gwosdek et al., "Theoretical Foundations of Gaussian Convolution by Extended Box
 * Filtering"). `mask_processor.blur` of diffusers' pipelines is this.
 */
import type { GrayPicture } from "./picture.ts";

const PASSES = 3;
const ONE = 2 ** 24;
const { fround } = Math;

/** @param radius standard deviation in pixels; 0 changes nothing */
export function gaussianBlurred(picture: GrayPicture, radius: number): GrayPicture {
  if (radius === 0) return picture;
  const box = boxRadius(radius);
  const across = blurredRows(picture, box);
  return transposed(blurredRows(transposed(across), box));
}

/** In float32, as the original computes it. */
function boxRadius(radius: number): number {
  const variance = fround(fround(fround(radius) * fround(radius)) / PASSES);
  const length = fround(Math.sqrt(12 * variance + 1));
  const whole = Math.floor((length - 1) / 2);
  const near = fround(fround(2 * whole + 1) * fround(whole * (whole + 1) - fround(3 * variance)));
  const fraction = fround(near / fround(6 * fround(variance - (whole + 1) ** 2)));
  return fround(whole + fraction);
}

function blurredRows({ width, height, data }: GrayPicture, boxRadius: number): GrayPicture {
  const radius = Math.trunc(boxRadius);
  const weight = Math.trunc(fround(ONE / fround(fround(boxRadius * 2) + 1)));
  const edgeWeight = Math.trunc((ONE - (radius * 2 + 1) * weight) / 2);
  const output = new Uint8Array(data.length);
  // The edges are repeated as far as a box reaches, so that no place has to be clamped.
  const reach = radius + 1;
  const line = new Uint8Array(width + 2 * reach);
  const next = new Uint8Array(width);
  for (let y = 0; y < height; y += 1) {
    next.set(data.subarray(y * width, (y + 1) * width));
    for (let pass = 0; pass < PASSES; pass += 1) {
      line.fill(next[0]!, 0, reach);
      line.set(next, reach);
      line.fill(next[width - 1]!, reach + width);
      let sum = 0;
      for (let x = 0; x < 2 * radius + 1; x += 1) sum += line[x]!;
      for (let x = 0; x < width; x += 1) {
        const before = line[x]!;
        const edges = before + line[x + 2 * reach]!;
        sum += line[x + 2 * radius + 1]! - before;
        next[x] = Math.floor((sum * weight + edges * edgeWeight + ONE / 2) / ONE);
      }
    }
    output.set(next, y * width);
  }
  return { width, height, data: output };
}

function transposed({ width, height, data }: GrayPicture): GrayPicture {
  const output = new Uint8Array(data.length);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) output[x * height + y] = data[y * width + x]!;
  }
  return { width: height, height: width, data: output };
}
