/** The transparency of a source at the size and place that its result has. */
import type { Alpha } from "./convert-deep.ts";
import { type DeepPicture, maxOf } from "./deep-picture.ts";

interface Sides {
  width: number;
  height: number;
}

/**
 * The alpha of a picture, for a result of which it covers `place`, from the top left; beyond that its edge goes on. Of the
 * same size, it is the same numbers; otherwise it is resized by a triangle, which draws no rims around hard edges.
 */
export function alphaAt(deep: DeepPicture, place: Sides, size: Sides): Alpha {
  const max = maxOf(deep);
  const own = new Float32Array(deep.width * deep.height);
  for (let pixel = 0; pixel < own.length; pixel++) own[pixel] = deep.data[4 * pixel + 3]!;
  const isSame = place.width === deep.width && place.height === deep.height;
  const across = isSame ? own : resizedRows(own, deep, place.width);
  const placed = isSame
    ? own
    : resizedColumns(across, { width: place.width, height: deep.height }, place.height);
  const data = new (max === 255 ? Uint8Array : Uint16Array)(size.width * size.height);
  for (let y = 0; y < size.height; y++) {
    const row = Math.min(y, place.height - 1) * place.width;
    for (let x = 0; x < size.width; x++) {
      data[y * size.width + x] = Math.round(placed[row + Math.min(x, place.width - 1)]!);
    }
  }
  return { data, max };
}

function resizedRows(plane: Float32Array, { width, height }: Sides, wanted: number): Float32Array {
  const result = new Float32Array(wanted * height);
  for (const [x, { first, weights }] of tapsOf(width, wanted).entries()) {
    for (let y = 0; y < height; y++) {
      let sum = 0;
      for (let k = 0; k < weights.length; k++) sum += weights[k]! * plane[y * width + first + k]!;
      result[y * wanted + x] = sum;
    }
  }
  return result;
}

function resizedColumns(plane: Float32Array, { width, height }: Sides, wanted: number): Float32Array {
  const result = new Float32Array(width * wanted);
  for (const [y, { first, weights }] of tapsOf(height, wanted).entries()) {
    const row = result.subarray(y * width, (y + 1) * width);
    for (let k = 0; k < weights.length; k++) {
      const weight = weights[k]!;
      const from = (first + k) * width;
      for (let x = 0; x < width; x++) row[x]! += weight * plane[from + x]!;
    }
  }
  return result;
}

/** Where a position of the result looks, and how much each place there counts; the shares sum to 1. */
function tapsOf(length: number, wanted: number): { first: number; weights: number[] }[] {
  const scale = length / wanted;
  const reach = Math.max(scale, 1);
  return Array.from({ length: wanted }, (_, position) => {
    const centre = (position + 0.5) * scale;
    const first = Math.max(Math.floor(centre - reach + 0.5), 0);
    const end = Math.min(Math.ceil(centre + reach - 0.5), length);
    const weights = Array.from({ length: Math.max(end - first, 1) }, (__, k) =>
      Math.max(1 - Math.abs(first + k + 0.5 - centre) / reach, 1e-6),
    );
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    return { first: Math.min(first, length - 1), weights: weights.map((weight) => weight / total) };
  });
}
