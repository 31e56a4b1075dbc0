/**
 * A local affine model of colour: around each pixel, result = A * source + b, by least squares with a ridge. It is the guided
 * filter with a colour guide (He, Sun and Tang 2013) and serves as bilateral guided upsampling does (Chen et al. 2016): fitted
 * at working size, applied to the source at any size. Windows count for a pixel by how well they fit, so that the model
 * does not blur over the outline of what changed.
 */
import { boxBlurred, type Plane } from "../images/plane.ts";
import { type Colours, meanProduct } from "./colours.ts";

/** Numbers per pixel: A row by row (9), then b (3). */
export const MODEL = 12;

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
 * The model of every pixel; of large pictures it is fitted on half of the rows and columns.
 * @param radius of the windows, in pixels
 * @param ridge variance, in squared 8-bit levels, below which the source's detail counts as noise
 * @returns [pixels, 12]
 */
export function fitColours(source: Colours, result: Colours, radius: number, ridge: number): Float32Array {
  const { width, height } = source[0];
  if (width * height < MANY_PIXELS) return fitWhole(source, result, radius, ridge);
  const model = fitWhole(halved(source), halved(result), Math.ceil(radius / 2), ridge);
  return doubled(model, width, height);
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

/** A model of half the size, interpolated. */
function doubled(model: Float32Array, width: number, height: number): Float32Array {
  const [across, down] = [Math.ceil(width / 2), Math.ceil(height / 2)];
  const whole = new Float32Array(width * height * MODEL);
  const line = new Float32Array(across * MODEL);
  for (let y = 0, to = 0; y < height; y++) {
    // A pixel's centre lies a quarter of a larger pixel from that one's.
    const near = y >> 1;
    const far = Math.min(Math.max(near + (y % 2 === 0 ? -1 : 1), 0), down - 1);
    const [a, b] = [near * line.length, far * line.length];
    for (let i = 0; i < line.length; i++) line[i] = 0.75 * model[a + i]! + 0.25 * model[b + i]!;
    for (let x = 0; x < width; x++, to += MODEL) {
      const left = x >> 1;
      const other = Math.min(Math.max(left + (x % 2 === 0 ? -1 : 1), 0), across - 1);
      const [c, d] = [left * MODEL, other * MODEL];
      for (let k = 0; k < MODEL; k++) whole[to + k] = 0.75 * line[c + k]! + 0.25 * line[d + k]!;
    }
  }
  return whole;
}

/**
 * @param radius of the windows, in pixels
 * @param ridge variance, in squared 8-bit levels, below which the source's detail counts as noise
 * @returns [pixels, 12]
 */
function fitWhole(source: Colours, result: Colours, radius: number, ridge: number): Float32Array {
  const [red] = source;
  const { width, height } = red;
  const count = width * height;
  const meanOf = (plane: Plane): Float32Array => boxBlurred(plane, radius).data;
  const s = source.map(meanOf);
  const r = result.map(meanOf);
  const ss = PAIRS.map(([i, j]) => meanProduct(source[i], source[j], radius));
  const rs = result.map((one) => source.map((other) => meanProduct(one, other, radius)));
  const rr = result.map((one) => meanProduct(one, one, radius));

  const planes = Array.from({ length: MODEL + 1 }, () => new Float32Array(count));
  const cov = new Float64Array(6);
  const inverse = new Float64Array(6);
  for (let p = 0; p < count; p++) {
    for (let k = 0; k < 6; k++) {
      const [i, j] = PAIRS[k]!;
      cov[k] = ss[k]![p]! - s[i]![p]! * s[j]![p]! + (i === j ? ridge : 0);
    }
    invert(cov, inverse);
    let residual = 0;
    for (let c = 0; c < 3; c++) {
      const mean = r[c]![p]!;
      const x = rs[c]![0]![p]! - mean * s[0]![p]!;
      const y = rs[c]![1]![p]! - mean * s[1]![p]!;
      const z = rs[c]![2]![p]! - mean * s[2]![p]!;
      const a0 = inverse[0]! * x + inverse[1]! * y + inverse[2]! * z;
      const a1 = inverse[1]! * x + inverse[3]! * y + inverse[4]! * z;
      const a2 = inverse[2]! * x + inverse[4]! * y + inverse[5]! * z;
      planes[3 * c]![p] = a0;
      planes[3 * c + 1]![p] = a1;
      planes[3 * c + 2]![p] = a2;
      planes[9 + c]![p] = mean - a0 * s[0]![p]! - a1 * s[1]![p]! - a2 * s[2]![p]!;
      residual += Math.max(rr[c]![p]! - mean * mean - a0 * x - a1 * y - a2 * z, 0);
    }
    planes[MODEL]![p] = 1 / (residual + ridge) ** 2;
  }
  return averaged(planes, width, height, radius);
}

/** The mean of the models of all windows that hold a pixel, weighted. */
function averaged(planes: Float32Array[], width: number, height: number, radius: number): Float32Array {
  const weights = planes[MODEL]!;
  // Relative to the largest, because sums of single precision lose what is far smaller.
  const total = boxBlurred({ width, height, data: weights }, radius).data;
  const model = new Float32Array(weights.length * MODEL);
  for (let k = 0; k < MODEL; k++) {
    const plane = planes[k]!;
    for (let p = 0; p < plane.length; p++) plane[p]! *= weights[p]!;
    const sum = boxBlurred({ width, height, data: plane }, radius).data;
    for (let p = 0, to = k; p < plane.length; p++, to += MODEL) model[to] = sum[p]! / total[p]!;
  }
  return model;
}

/** Of a symmetric positive definite matrix, by its adjugate. */
function invert([a, b, c, d, e, f]: Float64Array, to: Float64Array): void {
  const aa = d! * f! - e! * e!;
  const bb = c! * e! - b! * f!;
  const cc = b! * e! - c! * d!;
  const determinant = a! * aa + b! * bb + c! * cc;
  to[0] = aa / determinant;
  to[1] = bb / determinant;
  to[2] = cc / determinant;
  to[3] = (a! * f! - c! * c!) / determinant;
  to[4] = (b! * c! - a! * e!) / determinant;
  to[5] = (a! * d! - b! * b!) / determinant;
}

/** What the model makes of the source, at the size it was fitted at. */
export function modelled(source: Colours, model: Float32Array): Colours {
  const { width, height } = source[0];
  return [0, 1, 2].map((c) => {
    const data = new Float32Array(width * height);
    for (let p = 0, at = 0; p < data.length; p++, at += MODEL) {
      data[p] =
        model[at + 3 * c]! * source[0].data[p]! +
        model[at + 3 * c + 1]! * source[1].data[p]! +
        model[at + 3 * c + 2]! * source[2].data[p]! +
        model[at + 9 + c]!;
    }
    return { width, height, data };
  }) as unknown as Colours;
}
