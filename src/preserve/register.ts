/**
 * Finds how a result lies over its source: a shift and a scale along each axis, to a fraction of a pixel. What is compared is
 * luminance without its local mean and contrast, so that a change of light does not disturb; what was edited is an outlier,
 * which Tukey's weights leave out. From coarse to fine, by Gauss-Newton (Lucas and Kanade 1981; Baker and Matthews 2004).
 */
import { boxBlurred, type Plane } from "../images/plane.ts";
import { solved } from "./cholesky.ts";
import { meanProduct } from "./colours.ts";
import { IN_PLACE, type Placement } from "./placement.ts";

/** The largest shift, as a share of a side, and the largest deviation of a scale from 1; beyond 3 %, with a margin. */
const MAX_SHARE = 0.036;
/** Longer side of the coarsest level, where 3 % are two pixels. */
const COARSEST = 64;
/** Longer side of the finest: more pixels add no accuracy, only time. */
const FINEST = 512;
const ITERATIONS = 6;
/** In units of the local contrast, Tukey's limit beyond which a pixel does not count. */
const TUKEY = 1.2;
/** Contrast, in 8-bit levels, below which a neighbourhood counts less and less: noise. */
const FLAT = 4;
/** A displacement below this share of a working pixel is none: resampling would cost more than it. */
const LEAST_PIXELS = 0.12;
/** Share of the picture that must match after a motion and not in place. */
const LEAST_SUPPORT = 0.01;
/** Squares over which a match is measured, in pixels of a level; and the mean square of features that are noise. */
const MATCH_RADIUS = 3;
const FAINT = 0.03;
/** A correlation from which a motion explains a place. */
const GOOD = 0.8;
/** How many motions are followed at each level. */
const CANDIDATES = [12, 6, 3, 2, 1];

interface Level {
  source: Plane;
  result: Plane;
  /** Mean square of the source's features around each pixel. */
  energy: Float32Array;
  /** Derivatives of the result. */
  across: Float32Array;
  down: Float32Array;
}

/** Displacement in pixels of a level: at the centre, and what is added at the right or lower end. */
interface Motion {
  x: number;
  stretchX: number;
  y: number;
  stretchY: number;
}

/**
 * @param source luminance, 0 to 255
 * @param result of the same size
 * @returns in place where nothing else is clearly better
 */
export function estimatePlacement(source: Plane, result: Plane): Placement {
  const { width, height } = source;
  const longer = Math.max(width, height);
  if (Math.min(width, height) < 24) return IN_PLACE;
  const sides: number[] = [];
  for (let side = Math.min(longer, COARSEST); ; side = Math.min(side * 2, longer, FINEST)) {
    sides.push(side);
    if (side >= Math.min(longer, FINEST)) break;
  }
  const levels = sides.map((side) => levelOf(source, result, side / longer));
  let scale = levels[0]!.source.width;
  // Several beginnings: at the coarsest level Gauss-Newton finds its way over about a pixel.
  let motions = mostSupported(levels[0]!, beginnings(levels[0]!.source), CANDIDATES[0]!);
  for (const [index, level] of levels.entries()) {
    const { width: levelWidth } = level.source;
    const tried = motions
      .map((motion) => refined(level, scaledBy(motion, levelWidth / scale)))
      .filter((motion) => isPlausible(motion, level.source));
    motions = mostSupported(level, tried, CANDIDATES[index + 1] ?? 1);
    scale = levelWidth;
  }
  const finest = levels.at(-1)!;
  const [motion] = motions;
  if (motion === undefined || !isBetter(finest, motion)) return IN_PLACE;
  return placementOf(scaledBy(motion, width / finest.source.width), source);
}

function mostSupported(level: Level, motions: readonly Motion[], count: number): Motion[] {
  if (motions.length <= count) return [...motions];
  return motions
    .map((motion) => ({ motion, support: supportOf(level, motion) }))
    .toSorted((a, b) => b.support - a.support)
    .slice(0, count)
    .map(({ motion }) => motion);
}

function isPlausible(motion: Motion, { width, height }: Plane): boolean {
  const isWithin = (shift: number, stretch: number, side: number): boolean =>
    Math.abs(shift) <= MAX_SHARE * side && Math.abs(stretch) * 2 <= MAX_SHARE * side;
  return isWithin(motion.x, motion.stretchX, width) && isWithin(motion.y, motion.stretchY, height);
}

function placementOf(motion: Motion, { width, height }: Plane): Placement {
  const far = Math.max(
    Math.abs(motion.x) + Math.abs(motion.stretchX),
    Math.abs(motion.y) + Math.abs(motion.stretchY),
  );
  if (far < LEAST_PIXELS) return IN_PLACE;
  // x + motion.x + stretchX * (x - width / 2) / (width / 2)
  return {
    scaleX: 1 + (2 * motion.stretchX) / width,
    shiftX: motion.x - motion.stretchX,
    scaleY: 1 + (2 * motion.stretchY) / height,
    shiftY: motion.y - motion.stretchY,
  };
}

const STILL: Motion = { x: 0, stretchX: 0, y: 0, stretchY: 0 };

const scaledBy = ({ x, stretchX, y, stretchY }: Motion, factor: number): Motion => ({
  x: x * factor,
  stretchX: stretchX * factor,
  y: y * factor,
  stretchY: stretchY * factor,
});

function* shifts(limit: number): Generator<number> {
  const count = Math.ceil(limit);
  for (let i = -count; i <= count; i++) yield (i * limit) / Math.max(count, 1);
}

function beginnings({ width, height }: Plane): Motion[] {
  const motions: Motion[] = [];
  for (const x of shifts(MAX_SHARE * width)) {
    for (const y of shifts(MAX_SHARE * height)) {
      for (const stretch of [-0.03, 0, 0.03]) {
        motions.push({ x, y, stretchX: (stretch * width) / 2, stretchY: (stretch * height) / 2 });
      }
    }
  }
  return motions;
}

function levelOf(source: Plane, result: Plane, scale: number): Level {
  const [a, b] = [source, result].map((plane) => withoutLight(reduced(plane, scale)));
  const { width, height, data } = b!;
  const across = new Float32Array(data.length);
  const down = new Float32Array(data.length);
  for (let y = 1; y < height - 1; y++) {
    for (let x = 1; x < width - 1; x++) {
      const i = y * width + x;
      across[i] = (data[i + 1]! - data[i - 1]!) / 2;
      down[i] = (data[i + width]! - data[i - width]!) / 2;
    }
  }
  const energy = meanProduct(a!, a!, MATCH_RADIUS);
  return { source: a!, result: b!, energy, across, down };
}

/** Means over the area of each pixel of the reduced plane. */
function reduced(plane: Plane, scale: number): Plane {
  if (scale >= 1) return plane;
  const width = Math.max(1, Math.round(plane.width * scale));
  const height = Math.max(1, Math.round(plane.height * scale));
  const columns = areasOf(plane.width, width);
  const rows = areasOf(plane.height, height);
  const line = new Float32Array(width);
  const data = new Float32Array(height * width);
  for (let to = 0; to < height; to++) {
    for (let y = rows.first[to]!; y <= rows.last[to]!; y++) {
      reduceLine(plane.data.subarray(y * plane.width, (y + 1) * plane.width), columns, line);
      const share = rows.shareOf(to, y);
      for (let x = 0, i = to * width; x < width; x++, i++) data[i]! += share * line[x]!;
    }
  }
  return { width, height, data };
}

/** Which inputs each output is the mean of. */
interface Areas {
  first: Int32Array;
  last: Int32Array;
  /** Share of an input in an output. */
  shareOf(output: number, input: number): number;
}

function areasOf(inputs: number, outputs: number): Areas {
  const scale = inputs / outputs;
  const first = Int32Array.from({ length: outputs }, (_, output) => Math.floor(output * scale));
  const last = Int32Array.from(
    { length: outputs },
    (_, output) => Math.min(Math.ceil((output + 1) * scale - 1e-9), inputs) - 1,
  );
  const shareOf = (output: number, input: number): number =>
    (Math.min((output + 1) * scale, input + 1) - Math.max(output * scale, input)) / scale;
  return { first, last, shareOf };
}

function reduceLine(from: Float32Array, { first, last, shareOf }: Areas, to: Float32Array): void {
  for (let x = 0; x < to.length; x++) {
    let sum = 0;
    for (let i = first[x]!; i <= last[x]!; i++) sum += shareOf(x, i) * from[i]!;
    to[x] = sum;
  }
}

/** Luminance less its local mean, in units of its local contrast. */
function withoutLight(plane: Plane): Plane {
  const { width, height, data } = plane;
  const radius = 4;
  const mean = boxBlurred(plane, radius).data;
  const result = meanProduct(plane, plane, radius);
  for (let i = 0; i < result.length; i++) {
    const variance = Math.max(result[i]! - mean[i]! * mean[i]!, 0);
    result[i] = (data[i]! - mean[i]!) / Math.sqrt(variance + FLAT * FLAT);
  }
  return { width, height, data: result };
}

/** The result's features and their derivatives where a motion puts them on the source; 0 where it has none. */
interface Moved {
  result: Float32Array;
  across: Float32Array;
  down: Float32Array;
}

function moved(level: Level, { x: shiftX, stretchX, y: shiftY, stretchY }: Motion, to: Moved): void {
  const { width, height } = level.source;
  const planes = [
    [level.result.data, to.result],
    [level.across, to.across],
    [level.down, to.down],
  ] as const;
  for (const [, plane] of planes) plane.fill(0);
  for (let y = 0; y < height; y++) {
    const py = y + shiftY + stretchY * ((2 * (y + 0.5)) / height - 1);
    const top = Math.floor(py);
    if (top < 1 || top > height - 3) continue;
    const fy = py - top;
    for (let x = 0; x < width; x++) {
      const px = x + shiftX + stretchX * ((2 * (x + 0.5)) / width - 1);
      const left = Math.floor(px);
      if (left < 1 || left > width - 3) continue;
      const fx = px - left;
      const i = top * width + left;
      const j = y * width + x;
      for (const [from, plane] of planes) {
        const above = from[i]! + fx * (from[i + 1]! - from[i]!);
        const below = from[i + width]! + fx * (from[i + width + 1]! - from[i + width]!);
        plane[j] = above + fy * (below - above);
      }
    }
  }
}

/** How well a result matches around each pixel: the correlation over a square, 0 where there is nothing to see. */
function matchOf({ source, energy }: Level, result: Float32Array): Float32Array {
  const plane = { ...source, data: result };
  const match = meanProduct(source, plane, MATCH_RADIUS);
  const squares = meanProduct(plane, plane, MATCH_RADIUS);
  for (let i = 0; i < match.length; i++) {
    // Running sums may end a little below 0.
    match[i] = match[i]! / (Math.sqrt(Math.max(energy[i]! * squares[i]!, 0)) + FAINT);
  }
  return match;
}

const newMoved = ({ source: { data } }: Level): Moved => ({
  result: new Float32Array(data.length),
  across: new Float32Array(data.length),
  down: new Float32Array(data.length),
});

function matchAt(level: Level, motion: Motion): Float32Array {
  const planes = newMoved(level);
  moved(level, motion, planes);
  return matchOf(level, planes.result);
}

/** How much of the picture a motion explains. */
function supportOf(level: Level, motion: Motion): number {
  let sum = 0;
  for (const match of matchAt(level, motion)) sum += Math.max(match - GOOD, 0);
  return sum / ((1 - GOOD) * level.source.data.length);
}

function refined(level: Level, start: Motion): Motion {
  let motion = start;
  const planes = newMoved(level);
  let weights: Float32Array | undefined;
  for (let iteration = 0; iteration < ITERATIONS; iteration++) {
    moved(level, motion, planes);
    // What was edited matches nowhere, and must not pull.
    if (iteration % 2 === 0) {
      weights = matchOf(level, planes.result);
      for (let i = 0; i < weights.length; i++) {
        weights[i] = Math.min(Math.max((weights[i]! - 0.5) / 0.4, 0), 1) ** 2;
      }
    }
    const step = stepFrom(level, planes, weights!);
    if (step === undefined) return start;
    motion = {
      x: motion.x + step[0]!,
      stretchX: motion.stretchX + step[1]!,
      y: motion.y + step[2]!,
      stretchY: motion.stretchY + step[3]!,
    };
    if (step.every((part) => Math.abs(part) < 0.003)) break;
  }
  return motion;
}

/** One step of Gauss-Newton; undefined where the picture does not say. */
function stepFrom(
  { source }: Level,
  { result, across, down }: Moved,
  weights: Float32Array,
): Float64Array | undefined {
  const { width, height, data } = source;
  // Upper half of the 4 x 4 normal matrix, and the right side.
  const normal = new Float64Array(16);
  const right = new Float64Array(4);
  const row = new Float64Array(4);
  for (let i = 0; i < data.length; i++) {
    if (weights[i] === 0 || (across[i] === 0 && down[i] === 0)) continue;
    const difference = data[i]! - result[i]!;
    const t = (difference / TUKEY) ** 2;
    if (t >= 1) continue;
    const weight = weights[i]! * (1 - t) ** 2;
    const x = i % width;
    row[0] = across[i]!;
    row[1] = across[i]! * ((2 * (x + 0.5)) / width - 1);
    row[2] = down[i]!;
    row[3] = down[i]! * ((2 * ((i - x) / width + 0.5)) / height - 1);
    for (let a = 0; a < 4; a++) {
      const weighted = weight * row[a]!;
      right[a]! += weighted * difference;
      for (let b = a; b < 4; b++) normal[a * 4 + b]! += weighted * row[b]!;
    }
  }
  return solved(normal, right);
}

/** Whether clearly more of the picture matches after a motion than does in place. */
function isBetter(level: Level, motion: Motion): boolean {
  const found = matchAt(level, motion);
  const inPlace = matchAt(level, STILL);
  let [forIt, against] = [0, 0];
  for (let i = 0; i < found.length; i++) {
    if (found[i]! > 0.9 && inPlace[i]! < found[i]! - 0.03) forIt += 1;
    if (inPlace[i]! > 0.9 && found[i]! < inPlace[i]! - 0.03) against += 1;
  }
  return forIt > LEAST_SUPPORT * found.length && forIt > 4 * against;
}
