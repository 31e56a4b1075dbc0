/**
 * Finds how a result lies over its source: a shift and a scale along each axis, to a fraction of a pixel. What is compared is
 * luminance without its local mean and contrast, so that a change of light does not disturb; what was edited is an outlier,
 * which Tukey's weights leave out. From coarse to fine, by Gauss-Newton (Lucas and Kanade 1981; Baker and Matthews 2004).
 */
import { boxBlurred, type Plane } from "../images/plane.ts";
import { IN_PLACE, type Placement } from "./placement.ts";

/** The largest shift, as a share of a side, and the largest deviation of a scale from 1; beyond 3 %, with a margin. */
const MAX_SHARE = 0.036;
/** Longer side of the coarsest level, where 3 % are two pixels. */
const COARSEST = 64;
/** Longer side of the finest: more pixels add no accuracy, only time. */
const FINEST = 768;
const ITERATIONS = 6;
/** In units of the local contrast, Tukey's limit beyond which a pixel does not count. */
const TUKEY = 1.2;
/** Contrast, in 8-bit levels, below which a neighbourhood counts less and less: noise. */
const FLAT = 6;
/** A displacement below this share of a working pixel is none: resampling would cost more than it. */
const LEAST_PIXELS = 0.12;
/** How much less the robust cost must be than in place. */
const LEAST_GAIN = 0.02;

interface Level {
  source: Plane;
  result: Plane;
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
  const coarsest = levels[0]!;
  // Several beginnings: at the coarsest level Gauss-Newton finds its way over about a pixel.
  const best = beginnings(coarsest.source)
    .map((start) => ({ start, cost: costOf(coarsest, start) }))
    .toSorted((a, b) => a.cost - b.cost)
    .slice(0, 4)
    .map(({ start }) => refined(coarsest, start))
    .map((start) => ({ start, cost: costOf(coarsest, start) }))
    .toSorted((a, b) => a.cost - b.cost)[0]!.start;
  let motion = best;
  let scale = coarsest.source.width;
  for (const level of levels.slice(1)) {
    motion = refined(level, scaledBy(motion, level.source.width / scale));
    scale = level.source.width;
  }
  const finest = levels.at(-1)!;
  const inPlace = costOf(finest, { x: 0, stretchX: 0, y: 0, stretchY: 0 });
  const found = costOf(finest, motion);
  if (!(found < inPlace * (1 - LEAST_GAIN))) return IN_PLACE;
  const inSource = scaledBy(motion, width / finest.source.width);
  return placementOf(inSource, source);
}

function placementOf(motion: Motion, { width, height }: Plane): Placement {
  const far = Math.max(
    Math.abs(motion.x) + Math.abs(motion.stretchX),
    Math.abs(motion.y) + Math.abs(motion.stretchY),
  );
  const isWithin = (shift: number, stretch: number, side: number): boolean =>
    Math.abs(shift) <= MAX_SHARE * side && (Math.abs(stretch) * 2) / side <= MAX_SHARE;
  const isPlausible = isWithin(motion.x, motion.stretchX, width) && isWithin(motion.y, motion.stretchY, height);
  if (far < LEAST_PIXELS || !isPlausible) return IN_PLACE;
  // x + motion.x + stretchX * (x - width / 2) / (width / 2)
  return {
    scaleX: 1 + (2 * motion.stretchX) / width,
    shiftX: motion.x - motion.stretchX,
    scaleY: 1 + (2 * motion.stretchY) / height,
    shiftY: motion.y - motion.stretchY,
  };
}

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
  return { source: a!, result: b!, across, down };
}

/** Means over the area of each pixel of the reduced plane. */
function reduced(plane: Plane, scale: number): Plane {
  if (scale >= 1) return plane;
  const width = Math.max(1, Math.round(plane.width * scale));
  const height = Math.max(1, Math.round(plane.height * scale));
  const rows = new Float32Array(plane.height * width);
  areaMeans(plane.width, width, (to, from, share) => {
    for (let y = 0; y < plane.height; y++) rows[y * width + to]! += share * plane.data[y * plane.width + from]!;
  });
  const data = new Float32Array(height * width);
  areaMeans(plane.height, height, (to, from, share) => {
    for (let x = 0; x < width; x++) data[to * width + x]! += share * rows[from * width + x]!;
  });
  return { width, height, data };
}

function areaMeans(inputs: number, outputs: number, add: (to: number, from: number, share: number) => void): void {
  const scale = inputs / outputs;
  for (let to = 0; to < outputs; to++) {
    const [start, end] = [to * scale, (to + 1) * scale];
    for (let from = Math.floor(start); from < Math.min(Math.ceil(end - 1e-9), inputs); from++) {
      add(to, from, (Math.min(end, from + 1) - Math.max(start, from)) / scale);
    }
  }
}

/** Luminance less its local mean, in units of its local contrast. */
function withoutLight(plane: Plane): Plane {
  const { width, height, data } = plane;
  const radius = 4;
  const mean = boxBlurred(plane, radius).data;
  const squares = boxBlurred({ width, height, data: data.map((value) => value * value) }, radius).data;
  const result = data.map(
    (value, i) => (value - mean[i]!) / Math.sqrt(Math.max(squares[i]! - mean[i]! ** 2, 0) + FLAT * FLAT),
  );
  return { width, height, data: result };
}

/** Calls back for each pixel of the source that lies within the result, away from the borders. */
function eachPair(
  { source, result, across, down }: Level,
  { x: shiftX, stretchX, y: shiftY, stretchY }: Motion,
  take: (difference: number, gradientX: number, gradientY: number, u: number, v: number) => void,
): void {
  const { width, height, data } = source;
  const at = (plane: Float32Array, i: number, fx: number, fy: number): number => {
    const top = plane[i]! + fx * (plane[i + 1]! - plane[i]!);
    const bottom = plane[i + width]! + fx * (plane[i + width + 1]! - plane[i + width]!);
    return top + fy * (bottom - top);
  };
  for (let y = 0; y < height; y++) {
    const v = (2 * (y + 0.5)) / height - 1;
    const py = y + shiftY + stretchY * v;
    const top = Math.floor(py);
    if (top < 1 || top > height - 3) continue;
    for (let x = 0; x < width; x++) {
      const u = (2 * (x + 0.5)) / width - 1;
      const px = x + shiftX + stretchX * u;
      const left = Math.floor(px);
      if (left < 1 || left > width - 3) continue;
      const i = top * width + left;
      const [fx, fy] = [px - left, py - top];
      const difference = data[y * width + x]! - at(result.data, i, fx, fy);
      take(difference, at(across, i, fx, fy), at(down, i, fx, fy), u, v);
    }
  }
}

/** Mean of Tukey's robust cost over the pixels that both have. */
function costOf(level: Level, motion: Motion): number {
  let [sum, count] = [0, 0];
  eachPair(level, motion, (difference) => {
    const t = Math.min((difference / TUKEY) ** 2, 1);
    sum += 1 - (1 - t) ** 3;
    count += 1;
  });
  return count === 0 ? Infinity : sum / count;
}

function refined(level: Level, start: Motion): Motion {
  let motion = start;
  for (let iteration = 0; iteration < ITERATIONS; iteration++) {
    const step = stepFrom(level, motion);
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
function stepFrom(level: Level, motion: Motion): Float64Array | undefined {
  // Upper half of the 4 x 4 normal matrix, and the right side.
  const normal = new Float64Array(16);
  const right = new Float64Array(4);
  const row = new Float64Array(4);
  eachPair(level, motion, (difference, gradientX, gradientY, u, v) => {
    const t = (difference / TUKEY) ** 2;
    if (t >= 1) return;
    const weight = (1 - t) ** 2;
    row[0] = gradientX;
    row[1] = gradientX * u;
    row[2] = gradientY;
    row[3] = gradientY * v;
    for (let i = 0; i < 4; i++) {
      const weighted = weight * row[i]!;
      right[i]! += weighted * difference;
      for (let j = i; j < 4; j++) normal[i * 4 + j]! += weighted * row[j]!;
    }
  });
  return solved(normal, right);
}

/** By Cholesky's decomposition, with a small ridge. */
function solved(normal: Float64Array, right: Float64Array): Float64Array | undefined {
  const ridge = 1e-4 * Math.max(normal[0]!, normal[10]!);
  if (!(ridge > 0)) return undefined;
  const lower = new Float64Array(16);
  for (let j = 0; j < 4; j++) {
    for (let i = j; i < 4; i++) {
      let sum = normal[j * 4 + i]! + (i === j ? ridge : 0);
      for (let k = 0; k < j; k++) sum -= lower[i * 4 + k]! * lower[j * 4 + k]!;
      if (i === j && !(sum > 0)) return undefined;
      lower[i * 4 + j] = i === j ? Math.sqrt(sum) : sum / lower[j * 4 + j]!;
    }
  }
  const x = Float64Array.from(right);
  for (let i = 0; i < 4; i++) {
    for (let k = 0; k < i; k++) x[i]! -= lower[i * 4 + k]! * x[k]!;
    x[i]! /= lower[i * 4 + i]!;
  }
  for (let i = 3; i >= 0; i--) {
    for (let k = i + 1; k < 4; k++) x[i]! -= lower[k * 4 + i]! * x[k]!;
    x[i]! /= lower[i * 4 + i]!;
  }
  return x;
}
