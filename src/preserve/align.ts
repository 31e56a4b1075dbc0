/** How well a result, moved, matches its source, and by which small motion it would match better. */
import type { Plane } from "../images/plane.ts";
import { solved } from "./cholesky.ts";
import { meanProduct } from "./colours.ts";

const ITERATIONS = 12;
/** In units of the local contrast, Tukey's limit beyond which a pixel does not count. */
const TUKEY = 1.2;
/** Squares over which a match is measured, in pixels of a level; and the mean square of features that are noise. */
const MATCH_RADIUS = 3;
export const FAINT = 0.03;
/** A correlation from which a motion explains a place. */
const GOOD = 0.8;

/** The features of both pictures at one size. */
export interface Level {
  source: Plane;
  result: Plane;
  /** Mean square of the source's features around each pixel. */
  energy: Float32Array;
  /** Derivatives of the result. */
  across: Float32Array;
  down: Float32Array;
}

/** Displacement in pixels of a level: at the centre, and what is added at the right or lower end. */
export interface Motion {
  x: number;
  stretchX: number;
  y: number;
  stretchY: number;
}

export const STILL: Motion = { x: 0, stretchX: 0, y: 0, stretchY: 0 };

export const scaledBy = ({ x, stretchX, y, stretchY }: Motion, factor: number): Motion => ({
  x: x * factor,
  stretchX: stretchX * factor,
  y: y * factor,
  stretchY: stretchY * factor,
});

/** The kinds of motion, from the simplest to the freest: a network shifts or scales what it draws, seldom both. */
export type Form = "zoom" | "shift" | "stretch" | "free";

/** What each parameter of a form moves: x, stretchX, y, stretchY. A zoom is one scale along both sides. */
function parametersOf(form: Form, { width, height }: Plane): readonly (readonly number[])[] {
  const [shiftX, stretchX, shiftY, stretchY] = [
    [1, 0, 0, 0],
    [0, 1, 0, 0],
    [0, 0, 1, 0],
    [0, 0, 0, 1],
  ] as const;
  switch (form) {
    case "zoom":
      return [[0, 1, 0, height / width]];
    case "shift":
      return [shiftX, shiftY];
    case "stretch":
      return [stretchX, stretchY];
    case "free":
      return [shiftX, stretchX, shiftY, stretchY];
  }
}

/** @param source features; `result` those of the same size */
export function levelOf(source: Plane, result: Plane): Level {
  const { width, height, data } = result;
  const across = new Float32Array(data.length);
  const down = new Float32Array(data.length);
  for (let y = 1; y < height - 1; y++) {
    for (let x = 1; x < width - 1; x++) {
      const i = y * width + x;
      across[i] = (data[i + 1]! - data[i - 1]!) / 2;
      down[i] = (data[i + width]! - data[i - width]!) / 2;
    }
  }
  return { source, result, energy: meanProduct(source, source, MATCH_RADIUS), across, down };
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
export function supportOf(level: Level, motion: Motion): number {
  let sum = 0;
  for (const match of matchAt(level, motion)) sum += Math.max(match - GOOD, 0);
  return sum / ((1 - GOOD) * level.source.data.length);
}

/** A motion of the form, after some steps from another of it. */
export function refined(level: Level, start: Motion, form: Form): Motion {
  const parameters = parametersOf(form, level.source);
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
    const step = stepFrom(level, planes, { weights: weights!, parameters });
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
  { weights, parameters }: { weights: Float32Array; parameters: readonly (readonly number[])[] },
): number[] | undefined {
  const { width, height, data } = source;
  // Sums of products of the four derivatives, and of those and the difference.
  let [xx, xp, xy, xq, pp, py, pq, yy, yq, qq] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
  let [ofX, ofP, ofY, ofQ] = [0, 0, 0, 0];
  for (let y = 0, i = 0; y < height; y++) {
    const v = (2 * (y + 0.5)) / height - 1;
    for (let x = 0; x < width; x++, i++) {
      const given = weights[i]!;
      const dx = across[i]!;
      const dy = down[i]!;
      if (given === 0 || (dx === 0 && dy === 0)) continue;
      const difference = data[i]! - result[i]!;
      const t = (difference / TUKEY) * (difference / TUKEY);
      if (t >= 1) continue;
      const weight = given * (1 - t) * (1 - t);
      // How a stretch moves this pixel, beside how a shift does.
      const dp = dx * ((2 * (x + 0.5)) / width - 1);
      const dq = dy * v;
      const wx = weight * dx;
      const wp = weight * dp;
      const wy = weight * dy;
      const wq = weight * dq;
      xx += wx * dx;
      xp += wx * dp;
      xy += wx * dy;
      xq += wx * dq;
      pp += wp * dp;
      py += wp * dy;
      pq += wp * dq;
      yy += wy * dy;
      yq += wy * dq;
      qq += wq * dq;
      ofX += wx * difference;
      ofP += wp * difference;
      ofY += wy * difference;
      ofQ += wq * difference;
    }
  }
  const normal = Float64Array.of(xx, xp, xy, xq, 0, pp, py, pq, 0, 0, yy, yq, 0, 0, 0, qq);
  const right = Float64Array.of(ofX, ofP, ofY, ofQ);
  return solvedFor(parameters, normal, right);
}

/** Solves for some parameters alone; returns what they add to the motion's four numbers. */
function solvedFor(
  parameters: readonly (readonly number[])[],
  normal: Float64Array,
  right: Float64Array,
): number[] | undefined {
  // Of the parameters that there are not, the matrix is that of unity.
  const part = Float64Array.from({ length: 16 }, (_, i) => (i % 5 === 0 ? 1 : 0));
  const side = new Float64Array(4);
  const at = (a: number, b: number): number => normal[Math.min(a, b) * 4 + Math.max(a, b)]!;
  for (const [i, one] of parameters.entries()) {
    for (const [a, moved] of one.entries()) side[i]! += moved * right[a]!;
    for (const [j, other] of parameters.entries()) {
      let sum = 0;
      for (let a = 0; a < 4; a++) for (let b = 0; b < 4; b++) sum += one[a]! * other[b]! * at(a, b);
      part[i * 4 + j] = sum;
    }
  }
  const found = solved(part, side);
  return found && [0, 1, 2, 3].map((a) => parameters.reduce((sum, one, i) => sum + one[a]! * found[i]!, 0));
}
