/**
 * Motions that may have moved a result: every place is looked for around itself, and pairs of places that were found tell a
 * motion, of which those count that many others share (Fischler and Bolles 1981). So a part of the picture suffices.
 */
import { boxMeans, type Plane } from "../images/plane.ts";
import { FAINT, type Form, type Level, type Motion } from "./align.ts";

/** Squares that are looked for, in pixels of the level. */
const RADIUS = 5;
/** Correlation from which a place was found. */
const FOUND = 0.6;
const MOST_PLACES = 1200;
/** Pairs that are tried for a form. */
const TRIALS: Record<Form, number> = { zoom: 300, shift: 300, stretch: 600, free: 1000 };
/** Pixels of the level by which a place may miss its motion. */
const TOLERANCE = 0.9;

/** A place of the source that was found in the result. */
export interface Found {
  /** Of the place, -1 to 1 from one side to the other. */
  u: number;
  v: number;
  /** Its displacement, in pixels. */
  x: number;
  y: number;
  weight: number;
}

/**
 * @param size of the level
 * @param share the largest displacement, as a share of a side
 * @returns at most `count` motions of the form, the best first
 */
export function motionsOf(
  places: readonly Found[],
  { width, height }: Pick<Plane, "width" | "height">,
  { form, share, count }: { form: Form; share: number; count: number },
): Motion[] {
  const isPlausible = (motion: Motion): boolean =>
    isWithin(motion.x, motion.stretchX, share * width) && isWithin(motion.y, motion.stretchY, share * height);
  const random = randomOf();
  const pick = (): Found => places[Math.floor(random() * places.length)]!;
  const best: { motion: Motion; score: number }[] = [];
  for (let trial = 0; trial < TRIALS[form] && places.length > 1; trial++) {
    const motion = motionThrough(pick(), pick(), form, height / width);
    if (motion === undefined || !isPlausible(motion)) continue;
    const score = scoreOf(places, motion);
    const near = best.findIndex((held) => distanceOf(held.motion, motion) < 1.5);
    if (near >= 0) {
      if (best[near]!.score >= score) continue;
      best.splice(near, 1);
    }
    best.push({ motion, score });
    best.sort((one, other) => other.score - one.score);
    best.length = Math.min(best.length, count);
  }
  return best.map(({ motion }) => motion);
}

export const isWithin = (shift: number, stretch: number, most: number): boolean =>
  Math.abs(shift) <= most && Math.abs(stretch) * 2 <= most;

const distanceOf = (a: Motion, b: Motion): number =>
  Math.max(
    Math.abs(a.x - b.x) + Math.abs(a.stretchX - b.stretchX),
    Math.abs(a.y - b.y) + Math.abs(a.stretchY - b.stretchY),
  );

/** Undefined where the places do not tell, because they are too near to one another or to the middle. */
function motionThrough(one: Found, other: Found, form: Form, aspect: number): Motion | undefined {
  if (form === "shift") return { x: one.x, stretchX: 0, y: one.y, stretchY: 0 };
  if (form === "zoom") {
    const square = one.u ** 2 + (aspect * one.v) ** 2;
    if (square < 0.04) return undefined;
    const stretch = (one.x * one.u + one.y * aspect * one.v) / square;
    return { x: 0, stretchX: stretch, y: 0, stretchY: aspect * stretch };
  }
  if (form === "stretch") {
    if (Math.abs(one.u) < 0.2 || Math.abs(other.v) < 0.2) return undefined;
    return { x: 0, stretchX: one.x / one.u, y: 0, stretchY: other.y / other.v };
  }
  const [across, down] = [other.u - one.u, other.v - one.v];
  if (Math.hypot(across, down) < 0.1) return undefined;
  // Along the axis on which they are near, both tell the same.
  const stretchX = Math.abs(across) < 0.1 ? 0 : (other.x - one.x) / across;
  const stretchY = Math.abs(down) < 0.1 ? 0 : (other.y - one.y) / down;
  const x = (one.x + other.x - stretchX * (one.u + other.u)) / 2;
  const y = (one.y + other.y - stretchY * (one.v + other.v)) / 2;
  return { x, stretchX, y, stretchY };
}

function scoreOf(found: readonly Found[], { x, stretchX, y, stretchY }: Motion): number {
  let score = 0;
  for (const place of found) {
    const across = Math.abs(x + stretchX * place.u - place.x);
    const down = Math.abs(y + stretchY * place.v - place.y);
    const miss = across > down ? across : down;
    if (miss < TOLERANCE) score += place.weight;
  }
  return score;
}

/** Where each of some places is found best. @param share the largest displacement, as a share of a side */
export function placesFound({ source, result }: Level, share: number): Found[] {
  const { width, height } = source;
  const [best, whereX, whereY] = bestMatches(source, result, {
    across: Math.ceil(share * width),
    down: Math.ceil(share * height),
  });
  const found: Found[] = [];
  const step = Math.max(2, Math.floor(Math.sqrt((width * height) / MOST_PLACES)));
  for (let y = RADIUS; y < height - RADIUS; y += step) {
    for (let x = RADIUS; x < width - RADIUS; x += step) {
      const i = y * width + x;
      if (best[i]! < FOUND) continue;
      found.push({
        u: (2 * (x + 0.5)) / width - 1,
        v: (2 * (y + 0.5)) / height - 1,
        x: whereX[i]!,
        y: whereY[i]!,
        weight: best[i]! - FOUND,
      });
    }
  }
  return found;
}

/** For each pixel: the highest correlation with the square around another that is as far away as that, or nearer. */
function bestMatches(
  source: Plane,
  result: Plane,
  most: { across: number; down: number },
): [Float32Array, Int8Array, Int8Array] {
  const { width, height } = source;
  const best = new Float32Array(width * height);
  const whereX = new Int8Array(best.length);
  const whereY = new Int8Array(best.length);
  const energy = energyOf(source);
  const resultEnergy = energyOf(result);
  const match = new Float32Array(best.length);
  for (let dy = -most.down; dy <= most.down; dy++) {
    for (let dx = -most.across; dx <= most.across; dx++) {
      const [start, end] = [Math.max(-dx, 0), Math.min(width - dx, width)];
      const fill = (y: number, line: Float32Array, at: number): void => {
        line.fill(0);
        if (y + dy < 0 || y + dy >= height) return;
        const by = dy * width + dx;
        for (let x = start, i = y * width + start; x < end; x++, i++) {
          line[at + x] = source.data[i]! * result.data[i + by]!;
        }
      };
      boxMeans(source, RADIUS, fill, match);
      for (let y = Math.max(-dy, 0); y < Math.min(height - dy, height); y++) {
        for (let x = start, i = y * width + start; x < end; x++, i++) {
          const value = match[i]! * energy[i]! * resultEnergy[i + dy * width + dx]!;
          if (value <= best[i]!) continue;
          best[i] = value;
          whereX[i] = dx;
          whereY[i] = dy;
        }
      }
    }
  }
  return [best, whereX, whereY];
}

/** One over the root of the mean square around each pixel, less where there is only noise. */
function energyOf({ width, height, data }: Plane): Float32Array {
  const energy = boxMeans({ width, height }, RADIUS, (y, line, at) => {
    for (let x = 0, i = y * width; x < width; x++, i++) line[at + x] = data[i]! * data[i]!;
  });
  for (let i = 0; i < energy.length; i++) energy[i] = 1 / Math.sqrt(energy[i]! + FAINT);
  return energy;
}

/** Numbers from 0 to 1, always the same (mulberry32). */
function randomOf(): () => number {
  let state = 1;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
