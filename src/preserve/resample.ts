/** Lanczos resampling of planes along one axis each, with a scale and a shift. */

/** Lanczos with three lobes, as in Pillow, which diffusers uses for resizing. */
const LOBES = 3;

/** The inputs that make up each output: `count` of them from `first` on, with weights that sum to 1. */
export interface Taps {
  count: number;
  first: Int32Array;
  /** [outputs, count] */
  weights: Float32Array;
}

/**
 * @param scale inputs per output; more than 1 filters what the outputs are too coarse for
 * @param shift input position of the first output's left edge
 */
export function tapsOf(inputs: number, outputs: number, scale = inputs / outputs, shift = 0): Taps {
  const stretch = Math.max(scale, 1);
  const reach = LOBES * stretch;
  const count = Math.min(inputs, Math.ceil(2 * reach) + 1);
  const first = new Int32Array(outputs);
  const weights = new Float32Array(outputs * count);
  for (let output = 0; output < outputs; output++) {
    const centre = Math.min(Math.max((output + 0.5) * scale + shift, 0.5), inputs - 0.5);
    // At the border, inputs outside are left out and the others share their weight.
    const from = Math.min(Math.max(Math.floor(centre - reach + 0.5), 0), inputs - count);
    let total = 0;
    for (let k = 0; k < count; k++) {
      const weight = lanczos((from + k + 0.5 - centre) / stretch);
      weights[output * count + k] = weight;
      total += weight;
    }
    first[output] = from;
    for (let k = 0; k < count; k++) weights[output * count + k]! /= total;
  }
  return { count, first, weights };
}

function lanczos(x: number): number {
  if (x === 0) return 1;
  if (Math.abs(x) >= LOBES) return 0;
  const angle = Math.PI * x;
  return (LOBES * Math.sin(angle) * Math.sin(angle / LOBES)) / (angle * angle);
}

/** One row of interleaved colours, stretched: [inputs, channels] at `start` of `from` to [outputs, channels]. */
function stretchRow(
  from: ArrayLike<number>,
  start: number,
  { count, first, weights }: Taps,
  to: Float32Array,
): void {
  for (let output = 0, w = 0; output < first.length; output++) {
    let red = 0;
    let green = 0;
    let blue = 0;
    let at = start + first[output]! * 3;
    for (let k = 0; k < count; k++, at += 3, w++) {
      const weight = weights[w]!;
      red += weight * from[at]!;
      green += weight * from[at + 1]!;
      blue += weight * from[at + 2]!;
    }
    to[output * 3] = red;
    to[output * 3 + 1] = green;
    to[output * 3 + 2] = blue;
  }
}

/** Resamples interleaved colours [height, width, 3]. */
export function resampled(
  { width, data }: { width: number; data: ArrayLike<number> },
  across: Taps,
  down: Taps,
): Float32Array {
  const size = across.first.length * 3;
  const rows = new Map<number, Float32Array>();
  const result = new Float32Array(down.first.length * size);
  for (let y = 0; y < down.first.length; y++) {
    const sum = result.subarray(y * size, (y + 1) * size);
    for (let k = 0; k < down.count; k++) {
      const from = down.first[y]! + k;
      const weight = down.weights[y * down.count + k]!;
      if (weight === 0) continue;
      let row = rows.get(from);
      if (row === undefined) {
        row = new Float32Array(size);
        stretchRow(data, from * width * 3, across, row);
        rows.set(from, row);
      }
      for (let i = 0; i < size; i++) sum[i]! += weight * row[i]!;
    }
    for (const from of rows.keys()) if (from < down.first[y]!) rows.delete(from);
  }
  return result;
}
