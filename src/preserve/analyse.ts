/** Compares a result with its source at working size: what stays, what is carried over, and what is the network's. */
import { boxBlurred, inverted, type Plane, regionsOf } from "../images/plane.ts";
import { fitColours, MODEL, modelled } from "./affine-colour.ts";
import { type Colours, coloursOf, luminanceOf, medianOf, type Rectangle } from "./colours.ts";
import { isInPlace, type Placement } from "./placement.ts";
import { estimatePlacement } from "./register.ts";
import { resampled, tapsOf } from "./resample.ts";

/** `exact`: only copied or drawn pixels; `auto`: changes of light and colour are carried over as well. */
export type PreserveMode = "exact" | "auto";

/** Interleaved colours, [height, width, 3], 0 to 255. */
export interface WorkingPicture {
  width: number;
  height: number;
  data: ArrayLike<number>;
}

/** What to make of each pixel, at working size, in the part of the source that the result covers. */
export interface Analysis {
  /** Working size. */
  width: number;
  height: number;
  placement: Placement;
  /** Where the maps lie. Beyond it they go on as they end. */
  rectangle: Rectangle;
  /** 1 where the source's own pixels stay, 0 where not. */
  kept: Float32Array;
  /** [pixels, 16]: the model (12), what is added to the network's pixels (3), the share of carried over against drawn (1). */
  maps: Float32Array;
}

/** Numbers per pixel of the maps. */
export const MAP = 16;
const OFFSET = MODEL;
const CARRIED = MODEL + 3;

export interface AnalyseOptions {
  mode: PreserveMode;
  /** The source as the network's autoencoder reconstructs it. @default the source */
  seen?: WorkingPicture | undefined;
}

/**
 * Differences, in 8-bit levels, that count as none: at least `LEAST`, which is invisible, and at most `MOST`, which the
 * errors of a small autoencoder need (checkpoints/tiny, see evaluation/README.md).
 */
const LEAST = 3.5;
const MOST = 12;

/** Squares over which detail is measured; and how much of it must be left, of which resampling costs some. */
const DETAIL_RADIUS = 4;
const LEAST_DETAIL = 0.3;

/** @param source reduced to the size of `raw`, the network's result */
export function analyse(
  source: WorkingPicture,
  raw: WorkingPicture,
  { mode, seen = source }: AnalyseOptions,
): Analysis {
  const { width, height } = source;
  const placement = estimatePlacement(luminanceOf(seen), luminanceOf(raw));
  const registered = isInPlace(placement) ? raw : { width, height, data: placed(raw, placement) };
  const rectangle = coveredBy(placement, source);
  const before = coloursOf(seen, rectangle);
  const after = coloursOf(registered, rectangle);
  const errors = seen === source ? undefined : differencesOf(coloursOf(source, rectangle), before);
  const differences = differencesOf(after, before);
  const contrast = contrastOf(before, 1);
  const noise = noiseOf(differences, contrast);
  const threshold = thresholdOf(noise, errors);
  const alike = keptOf(differences, contrast, { threshold });
  const blurred = isBlurred(before, after, { marks: alike, noise })
    ? blurredOf(detailOf(after), detailOf(before), noise)
    : undefined;
  const kept = blurred ? keptOf(differences, contrast, { threshold, blurred }) : alike;

  const maps = new Float32Array(kept.length * MAP);
  addOffsets(maps, differences, { ...before[0], data: kept });
  if (mode === "auto") addCarried(maps, before, after, noise);
  return { width, height, placement, rectangle, kept, maps };
}

/** The result, resampled to where the source is. */
function placed(raw: WorkingPicture, { scaleX, scaleY, shiftX, shiftY }: Placement): Float32Array {
  const { width, height } = raw;
  return resampled(raw, tapsOf(width, width, scaleX, shiftX), tapsOf(height, height, scaleY, shiftY));
}

/** The pixels of the source whose place lies within the result. */
function coveredBy(placement: Placement, { width, height }: WorkingPicture): Rectangle {
  if (isInPlace(placement)) return { left: 0, top: 0, width, height };
  const span = (scale: number, shift: number, length: number): [number, number] => {
    const start = Math.max(Math.ceil(-shift / scale + 0.25), 0);
    const end = Math.min(Math.floor((length - shift) / scale - 0.25), length);
    return [start, Math.max(end - start, 1)];
  };
  const [left, across] = span(placement.scaleX, placement.shiftX, width);
  const [top, down] = span(placement.scaleY, placement.shiftY, height);
  return { left, top, width: across, height: down };
}

function differencesOf(a: Colours, b: Colours): Colours {
  return a.map((plane, c) => {
    const other = b[c]!.data;
    return { ...plane, data: plane.data.map((value, i) => value - other[i]!) };
  }) as unknown as Colours;
}

/** The largest of the three colours' absolute numbers. */
function largestOf([red, green, blue]: Colours): Plane {
  const data = red.data.map((value, i) =>
    Math.max(Math.abs(value), Math.abs(green.data[i]!), Math.abs(blue.data[i]!)),
  );
  return { ...red, data };
}

/** Standard deviation over squares of pixels, the largest of the three colours'. */
function contrastOf(colours: Colours, radius: number): Float32Array {
  const contrast = new Float32Array(colours[0].data.length);
  for (const plane of colours) {
    const mean = boxBlurred(plane, radius).data;
    const squares = boxBlurred({ ...plane, data: plane.data.map((value) => value * value) }, radius).data;
    for (let i = 0; i < contrast.length; i++) {
      contrast[i] = Math.max(contrast[i]!, Math.sqrt(Math.max(squares[i]! - mean[i]! ** 2, 0)));
    }
  }
  return contrast;
}

/** Standard deviation of the result's noise, from what changes from pixel to pixel where the source is flat. */
function noiseOf(differences: Colours, contrast: Float32Array): number {
  const limit = Math.max(medianOf(contrast), 1);
  const deviations = differences.map((plane) =>
    medianOf(fineOf(plane).data.filter((_, i) => contrast[i]! <= limit)),
  );
  // 1.4826 of a normal distribution's median deviation; the mean of nine pixels holds a ninth of the pixel itself.
  return Math.max((1.4826 * Math.max(...deviations)) / Math.sqrt(8 / 9), 0.5);
}

/** A plane less the mean around each pixel. */
function fineOf(plane: Plane): Plane {
  const mean = boxBlurred(plane, 1).data;
  return { ...plane, data: plane.data.map((value, i) => value - mean[i]!) };
}

/** Mean square of the fine detail around each pixel, of all three colours. */
function detailOf(colours: Colours): Float32Array {
  const squares = new Float32Array(colours[0].data.length);
  for (const plane of colours) {
    const fine = fineOf(plane).data;
    for (let i = 0; i < fine.length; i++) squares[i]! += fine[i]! * fine[i]!;
  }
  return boxBlurred({ ...colours[0], data: squares }, DETAIL_RADIUS).data;
}

/** Whether the result has lost its fine detail even where it is like the source. */
function isBlurred(
  before: Colours,
  after: Colours,
  { marks, noise }: { marks: Float32Array; noise: number },
): boolean {
  const sumOf = (colours: Colours): number =>
    colours.reduce(
      (sum, plane) =>
        sum + fineOf(plane).data.reduce((part, value, i) => part + value * value * marks[i]!, 0),
      0,
    );
  const ofNoise = (8 / 3) * noise * noise * marks.reduce((sum, mark) => sum + mark, 0);
  const expected = sumOf(before);
  return expected > ofNoise / 4 && sumOf(after) - ofNoise < LEAST_DETAIL * expected;
}

/** 1 where a result has lost the detail that it would have if it were `expected`: it was blurred. */
function blurredOf(result: Float32Array, expected: Float32Array, noise: number): Float32Array {
  const ofNoise = (8 / 3) * noise * noise;
  return result.map((detail, i) =>
    expected[i]! > 2 * ofNoise && detail - ofNoise < LEAST_DETAIL * expected[i]! ? 1 : 0,
  );
}

function thresholdOf(noise: number, errors: Colours | undefined): number {
  const scale = errors ? Math.max(...errors.map((plane) => medianOf(boxBlurred(plane, 1).data))) : 0;
  return Math.min(Math.max(LEAST, 2 * noise, 4 * scale), MOST);
}

/** Pixels of working size: smaller faint changes are errors, and smaller islands of the source would be spots. */
const LEAST_CHANGE = 12;
const LEAST_ISLAND = 64;

/** 1 where the result differs from the source by no more than an error. */
function keptOf(
  differences: Colours,
  contrast: Float32Array,
  { threshold, blurred }: { threshold: number; blurred?: Float32Array },
): Float32Array {
  const { width, height } = differences[0];
  const smooth = largestOf(differences.map((plane) => boxBlurred(plane, 1)) as unknown as Colours).data;
  const strongest = largestAround({ width, height, data: smooth }, 2).data;
  // Resampling errs where there are edges, and rings around what was edited.
  const excess = smooth.map((value, i) =>
    blurred?.[i] === 1 ? threshold : value - threshold - 0.12 * contrast[i]! - 0.1 * strongest[i]!,
  );
  const changed = regionsOf(
    { width, height, data: excess },
    0,
    ({ peak, area }) => peak > threshold || area >= LEAST_CHANGE,
  );
  // Islands of the source within what was drawn would stand out from it.
  return regionsOf(inverted(changed), 0, ({ area }) => area >= LEAST_ISLAND).data;
}

/** The largest number within `radius` pixels. */
function largestAround({ width, height, data }: Plane, radius: number): Plane {
  const rows = new Float32Array(data.length);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      let largest = -Infinity;
      for (let k = Math.max(x - radius, 0); k <= Math.min(x + radius, width - 1); k++) {
        largest = Math.max(largest, data[y * width + k]!);
      }
      rows[y * width + x] = largest;
    }
  }
  const result = new Float32Array(data.length).fill(-Infinity);
  for (let y = 0; y < height; y++) {
    for (let k = Math.max(y - radius, 0); k <= Math.min(y + radius, height - 1); k++) {
      for (let x = 0; x < width; x++) {
        const value = rows[k * width + x]!;
        if (value > result[y * width + x]!) result[y * width + x] = value;
      }
    }
  }
  return { width, height, data: result };
}

/** Lets the network's pixels meet the source's: around what is kept, they are moved by the difference there. */
function addOffsets(maps: Float32Array, differences: Colours, kept: Plane): void {
  const radius = Math.max(4, Math.round(Math.max(kept.width, kept.height) / 64));
  const near = boxBlurred(kept, radius).data;
  differences.forEach((plane, c) => {
    const sum = boxBlurred(
      { ...plane, data: plane.data.map((value, i) => -value * kept.data[i]!) },
      radius,
    ).data;
    for (let p = 0, to = OFFSET + c; p < sum.length; p++, to += MAP) maps[to] = sum[p]! / (near[p]! + 0.1);
  });
}

/** Radius of the windows of the model, in working pixels. */
const RADIUS = 3;

function addCarried(maps: Float32Array, source: Colours, result: Colours, noise: number): void {
  const model = fitColours(source, result, RADIUS, 2 + noise * noise);
  const ofModel = modelled(source, model);
  const blurred = blurredOf(detailOf(result), detailOf(ofModel), noise);
  const remainders = differencesOf(result, ofModel);
  const { width, height } = source[0];
  const squares = new Float32Array(width * height);
  for (const plane of remainders)
    for (let p = 0; p < squares.length; p++) squares[p]! += plane.data[p]! ** 2 / 3;
  const error = boxBlurred({ width, height, data: squares }, 2).data;
  const contrast = contrastOf(result, 2);
  const share = error.map((square, p) => {
    const limit = (1.3 * noise + 1.5) ** 2 + (0.2 * contrast[p]!) ** 2;
    return blurred[p] === 1 ? 0 : Math.min(Math.max(2 - square / limit, 0), 1);
  });
  const soft = boxBlurred({ width, height, data: share }, 1).data;
  for (let p = 0, to = 0, from = 0; p < soft.length; p++, to += MAP, from += MODEL) {
    for (let k = 0; k < MODEL; k++) maps[to + k] = model[from + k]!;
    maps[to + CARRIED] = Math.min(soft[p]!, share[p]!);
  }
}
