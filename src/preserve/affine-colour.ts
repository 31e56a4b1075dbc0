/**
 * A local affine model of colour: around each pixel, result = A * source + b, by least squares with a ridge. It is the guided
 * filter with a colour guide (He, Sun and Tang 2013) and serves as bilateral guided upsampling does (Chen et al. 2016): fitted
 * at working size, applied to the source at any size. Windows count for a pixel by how well they fit, so that the model
 * does not blur over the outline of what changed.
 */
import { boxMeans, type Plane } from "../images/plane.ts";
import { type Colours, meanProduct } from "./colours.ts";
import { sharedFloats } from "./shared-memory.ts";

/** Numbers per pixel: A row by row (9), then b (3). */
export const MODEL = 12;

/** Models on a grid, of which each covers `step` by `step` pixels of working size; the last ones may cover fewer. */
export interface ColourModels {
  width: number;
  height: number;
  step: number;
  /** [height, width, 12] */
  data: Float32Array;
}

/** The upper half of a symmetric 3 x 3 matrix. */
const PAIRS = [
  [0, 0],
  [0, 1],
  [0, 2],
  [1, 1],
  [1, 2],
  [2, 2],
] as const;

/** Pixels from which every second one is fitted: the fast guided filter (He and Sun 2015). */
const MANY_PIXELS = 400_000;

/**
 * Fits the models; of large pictures on half of the rows and columns.
 * @param radius of the windows, in pixels
 * @param ridge variance, in squared 8-bit levels, below which the source's detail counts as noise
 */
export function fitColours(source: Colours, result: Colours, radius: number, ridge: number): ColourModels {
  const { width, height } = source[0];
  if (width * height < MANY_PIXELS) {
    return { width, height, step: 1, data: fitWhole(source, result, radius, ridge) };
  }
  const [small, smallResult] = [halved(source), halved(result)];
  const data = fitWhole(small, smallResult, Math.ceil(radius / 2), ridge);
  return { width: small[0].width, height: small[0].height, step: 2, data };
}

/** Means of two by two pixels; of an odd side the last pixel stands alone. */
function halved(colours: Colours): Colours {
  return colours.map(({ width, height, data }) => {
    const [across, down] = [Math.ceil(width / 2), Math.ceil(height / 2)];
    const half = new Float32Array(across * down);
    for (let y = 0, i = 0; y < down; y++) {
      const top = 2 * y * width;
      const bottom = Math.min(2 * y + 1, height - 1) * width;
      for (let x = 0; x < across; x++, i++) {
        const [left, right] = [2 * x, Math.min(2 * x + 1, width - 1)];
        half[i] = (data[top + left]! + data[top + right]! + data[bottom + left]! + data[bottom + right]!) / 4;
      }
    }
    return { width: across, height: down, data: half };
  }) as unknown as Colours;
}

/** Writes the models of a row of pixels of working size, interpolated. @param line [width, 12] */
export function writeModels(
  { width: across, height: down, step, data }: ColourModels,
  y: number,
  line: Float32Array,
): void {
  const size = across * MODEL;
  if (step === 1) {
    line.set(data.subarray(y * size, (y + 1) * size));
    return;
  }
  const place = placeOf(y, step, down);
  const top = Math.floor(place);
  const fy = place - top;
  const [a, b] = [top * size, Math.min(top + 1, down - 1) * size];
  const row = new Float32Array(size);
  for (let i = 0; i < size; i++) row[i] = data[a + i]! + fy * (data[b + i]! - data[a + i]!);
  for (let x = 0, to = 0; to < line.length; x++, to += MODEL) {
    const at = placeOf(x, step, across);
    const left = Math.floor(at);
    const fx = at - left;
    const here = left * MODEL;
    const beside = Math.min(left + 1, across - 1) * MODEL;
    for (let k = 0; k < MODEL; k++) line[to + k] = row[here + k]! + fx * (row[beside + k]! - row[here + k]!);
  }
}

/** Where on the grid the centre of a pixel lies. */
const placeOf = (pixel: number, step: number, count: number): number =>
  Math.min(Math.max((pixel + 0.5) / step - 0.5, 0), count - 1);

/**
 * @param radius of the windows, in pixels
 * @param ridge variance, in squared 8-bit levels, below which the source's detail counts as noise
 * @returns [pixels, 12]
 */
function fitWhole(source: Colours, result: Colours, radius: number, ridge: number): Float32Array {
  const [red] = source;
  const { width, height } = red;
  const count = width * height;
  const meanOf = ({ data }: Plane): Float32Array =>
    boxMeans(red, radius, (y, line, at) => line.set(data.subarray(y * width, (y + 1) * width), at));
  const s = source.map(meanOf) as [Float32Array, Float32Array, Float32Array];
  const [s0, s1, s2] = s;
  const covariances = PAIRS.map(([i, j]) => {
    const products = meanProduct(source[i], source[j], radius);
    const [a, b] = [s[i]!, s[j]!];
    const added = i === j ? ridge : 0;
    for (let p = 0; p < count; p++) products[p] = products[p]! - a[p]! * b[p]! + added;
    return products;
  });
  invertAll(covariances);
  const [i00, i01, i02, i11, i12, i22] = covariances as [
    Float32Array,
    Float32Array,
    Float32Array,
    Float32Array,
    Float32Array,
    Float32Array,
  ];
  const planes = Array.from({ length: MODEL }, () => new Float32Array(count));
  const residual = new Float32Array(count);
  for (let c = 0; c < 3; c++) {
    const mean = meanOf(result[c]!);
    const own = meanProduct(result[c]!, result[c]!, radius);
    const [r0, r1, r2] = source.map((plane) => meanProduct(result[c]!, plane, radius)) as [
      Float32Array,
      Float32Array,
      Float32Array,
    ];
    const [a, b, d, offset] = [planes[3 * c]!, planes[3 * c + 1]!, planes[3 * c + 2]!, planes[9 + c]!];
    for (let p = 0; p < count; p++) {
      const m = mean[p]!;
      const x = r0[p]! - m * s0[p]!;
      const y = r1[p]! - m * s1[p]!;
      const z = r2[p]! - m * s2[p]!;
      const a0 = i00[p]! * x + i01[p]! * y + i02[p]! * z;
      const a1 = i01[p]! * x + i11[p]! * y + i12[p]! * z;
      const a2 = i02[p]! * x + i12[p]! * y + i22[p]! * z;
      a[p] = a0;
      b[p] = a1;
      d[p] = a2;
      offset[p] = m - a0 * s0[p]! - a1 * s1[p]! - a2 * s2[p]!;
      residual[p]! += Math.max(own[p]! - m * m - a0 * x - a1 * y - a2 * z, 0);
    }
  }
  for (let p = 0; p < count; p++) residual[p] = 1 / (residual[p]! + ridge) ** 2;
  return averaged(planes, residual, red, radius);
}

/** The mean of the models of all windows that hold a pixel, weighted. */
function averaged(
  planes: Float32Array[],
  weights: Float32Array,
  { width, height }: Pick<Plane, "width" | "height">,
  radius: number,
): Float32Array {
  const size = { width, height };
  // Relative to the largest, because sums of single precision lose what is far smaller.
  const total = boxMeans(size, radius, (y, line, at) =>
    line.set(weights.subarray(y * width, (y + 1) * width), at),
  );
  for (let p = 0; p < total.length; p++) total[p] = 1 / total[p]!;
  // Threads share it.
  const model = sharedFloats(weights.length * MODEL);
  for (let k = 0; k < MODEL; k++) {
    const plane = planes[k]!;
    const fill = (y: number, line: Float32Array, at: number): void => {
      for (let x = 0, i = y * width; x < width; x++, i++) line[at + x] = plane[i]! * weights[i]!;
    };
    boxMeans(size, radius, fill, plane);
    for (let p = 0, to = k; p < plane.length; p++, to += MODEL) model[to] = plane[p]! * total[p]!;
  }
  return model;
}

/** Replaces symmetric positive definite matrices by their inverses, by their adjugates. */
function invertAll(halves: readonly Float32Array[]): void {
  const [p0, p1, p2, p3, p4, p5] = halves as [
    Float32Array,
    Float32Array,
    Float32Array,
    Float32Array,
    Float32Array,
    Float32Array,
  ];
  for (let p = 0; p < p0.length; p++) {
    const [a, b, c, d, e, f] = [p0[p]!, p1[p]!, p2[p]!, p3[p]!, p4[p]!, p5[p]!];
    const aa = d * f - e * e;
    const bb = c * e - b * f;
    const cc = b * e - c * d;
    const share = 1 / (a * aa + b * bb + c * cc);
    p0[p] = aa * share;
    p1[p] = bb * share;
    p2[p] = cc * share;
    p3[p] = (a * f - c * c) * share;
    p4[p] = (b * c - a * e) * share;
    p5[p] = (a * d - b * b) * share;
  }
}

/** What the models make of the source, at the size they were fitted at. */
export function modelled(source: Colours, models: ColourModels): Colours {
  const { width, height } = source[0];
  const [red, green, blue] = source.map(({ data }) => data) as [Float32Array, Float32Array, Float32Array];
  const result = [0, 1, 2].map(() => new Float32Array(width * height));
  const line = new Float32Array(width * MODEL);
  for (let y = 0; y < height; y++) {
    writeModels(models, y, line);
    for (let c = 0; c < 3; c++) {
      const data = result[c]!;
      for (let x = 0, p = y * width, at = 3 * c, b = 9 + c; x < width; x++, p++, at += MODEL, b += MODEL) {
        data[p] = line[at]! * red[p]! + line[at + 1]! * green[p]! + line[at + 2]! * blue[p]! + line[b]!;
      }
    }
  }
  return result.map((data) => ({ width, height, data })) as unknown as Colours;
}
