/** Tells what a network only reproduced from what it changed. */
import { boxMeans, inverted, type Plane, regionsOf } from "../images/plane.ts";
import { type Colours, medianOf } from "./colours.ts";
import { fineOf, fineSquaresOfNoise } from "./detail.ts";

/**
 * Differences, in 8-bit levels, that count as none: at least `LEAST`, which is invisible, and at most `MOST`, which the
 * errors of a small autoencoder need (checkpoints/tiny, see evaluation/README.md).
 */
const LEAST = 3.5;
const MOST = 12;

/** Squares over which detail is measured; and how much of it must be left, of which resampling costs some. */
const DETAIL_RADIUS = 4;
const LEAST_DETAIL = 0.3;

/** Standard deviation of the result's noise, from what changes from pixel to pixel where the source is flat. */
export function noiseOf(differences: Colours, contrast: Float32Array): number {
  const limit = Math.max(medianOf(contrast), 1);
  const deviations = differences.map((plane) => {
    const fine = fineOf(plane);
    let count = 0;
    for (let i = 0; i < fine.length; i++) if (contrast[i]! <= limit) fine[count++] = fine[i]!;
    return medianOf(fine.subarray(0, count));
  });
  // 1.4826 of a normal distribution's median deviation; the mean of nine pixels holds a ninth of the pixel itself.
  return Math.max((1.4826 * Math.max(...deviations)) / Math.sqrt(8 / 9), 0.5);
}

/** @param errors differences of the source and what the autoencoder makes of it, if that is known */
export function thresholdOf(noise: number, errors: Colours | undefined): number {
  const scale = errors ? Math.max(...errors.map((plane) => medianOf(meanOf(plane)))) : 0;
  return Math.min(Math.max(LEAST, 2 * noise, 4 * scale), MOST);
}

const meanOf = ({ width, height, data }: Plane): Float32Array =>
  boxMeans({ width, height }, 1, (y, line, at) => line.set(data.subarray(y * width, (y + 1) * width), at));

/**
 * Whether the result has lost its fine detail even where it is like the source.
 * @param before squares of fine detail, of the source; `after` of the result
 */
export function isBlurred(
  before: Float32Array,
  after: Float32Array,
  { marks, noise }: { marks: Float32Array; noise: number },
): boolean {
  let [expected, found, count] = [0, 0, 0];
  for (let i = 0; i < marks.length; i++) {
    if (marks[i] === 0) continue;
    count += 1;
    expected += before[i]!;
    found += after[i]!;
  }
  const ofNoise = fineSquaresOfNoise(noise) * count;
  return expected > ofNoise / 4 && found - ofNoise < LEAST_DETAIL * expected;
}

/** 1 where a result has lost the detail that it would have if it were `expected`; both are squares of fine detail. */
export function blurredOf(
  result: Float32Array,
  expected: Float32Array,
  { size, noise }: { size: Pick<Plane, "width" | "height">; noise: number },
): Uint8Array {
  const { width } = size;
  const ofNoise = fineSquaresOfNoise(noise);
  const [found, wanted] = [result, expected].map((squares) =>
    boxMeans(size, DETAIL_RADIUS, (y, line, at) =>
      line.set(squares.subarray(y * width, (y + 1) * width), at),
    ),
  ) as [Float32Array, Float32Array];
  const marks = new Uint8Array(found.length);
  for (let i = 0; i < marks.length; i++) {
    if (wanted[i]! > 2 * ofNoise && found[i]! - ofNoise < LEAST_DETAIL * wanted[i]!) marks[i] = 1;
  }
  return marks;
}

/** Pixels of working size: smaller faint changes are errors, and smaller islands of the source would be spots. */
const LEAST_CHANGE = 12;
const LEAST_ISLAND = 64;

/** How far a result differs from its source, beyond what counts as an error. */
export interface Excess {
  plane: Plane;
  threshold: number;
}

export function excessOf(differences: Colours, contrast: Float32Array, threshold: number): Excess {
  const { width, height } = differences[0];
  const excess = largestOf(differences.map(meanOf));
  const strongest = largestAround({ width, height, data: excess }, 2);
  // Resampling errs where there are edges, and rings around what was edited.
  for (let i = 0; i < excess.length; i++) {
    excess[i] = excess[i]! - threshold - 0.12 * contrast[i]! - 0.1 * strongest[i]!;
  }
  return { plane: { width, height, data: excess }, threshold };
}

/** 1 where the result differs from the source by no more than an error, and has its detail. */
export function keptOf({ plane, threshold }: Excess, blurred?: Uint8Array): Float32Array {
  const excess = blurred
    ? { ...plane, data: plane.data.map((value, i) => (blurred[i] === 1 ? threshold : value)) }
    : plane;
  const changed = regionsOf(excess, 0, ({ peak, area }) => peak > threshold || area >= LEAST_CHANGE);
  // Islands of the source within what was drawn would stand out from it.
  return regionsOf(inverted(changed), 0, ({ area }) => area >= LEAST_ISLAND).data;
}

/** The largest of the planes' absolute numbers. */
function largestOf(planes: readonly Float32Array[]): Float32Array {
  const [largest, ...others] = planes as [Float32Array, ...Float32Array[]];
  for (let i = 0; i < largest.length; i++) largest[i] = Math.abs(largest[i]!);
  for (const other of others) {
    for (let i = 0; i < largest.length; i++) {
      const value = Math.abs(other[i]!);
      if (value > largest[i]!) largest[i] = value;
    }
  }
  return largest;
}

/** The largest number within `radius` pixels. */
function largestAround({ width, height, data }: Plane, radius: number): Float32Array {
  const rows = new Float32Array(data.length);
  const result = new Float32Array(data.length).fill(-Infinity);
  for (let y = 0; y < height; y++) {
    const start = y * width;
    for (let x = 0; x < width; x++) {
      let largest = data[start + x]!;
      const last = Math.min(x + radius, width - 1);
      for (let k = Math.max(x - radius, 0); k <= last; k++) {
        if (data[start + k]! > largest) largest = data[start + k]!;
      }
      rows[start + x] = largest;
    }
  }
  for (let y = 0; y < height; y++) {
    for (let k = Math.max(y - radius, 0); k <= Math.min(y + radius, height - 1); k++) {
      for (let x = 0, i = y * width, j = k * width; x < width; x++, i++, j++) {
        if (rows[j]! > result[i]!) result[i] = rows[j]!;
      }
    }
  }
  return result;
}
