/** What a network would make of an edit whose truth is known: reduced, shifted or scaled by up to 3 %, with noise. */
import type { Picture } from "../src/images/picture.ts";
import type { Placement } from "../src/preserve/placement.ts";
import { resampled, tapsOf } from "../src/preserve/resample.ts";

/** Side of a picture of 24 megapixels over the side of one megapixel. */
export const FACTOR = Math.sqrt(24);
const MOST = 0.03;
/** Standard deviation, in 8-bit levels. */
const NOISE = 2;

export interface Simulated {
  raw: Picture;
  placement: Placement;
}

/**
 * @param id what shift, scale and noise follow from
 * @param factor side of the truth over that of the result
 */
export function simulate(truth: Picture, id: string, factor = FACTOR): Simulated {
  const random = randomOf(id);
  const width = Math.round(truth.width / factor);
  const height = Math.round(truth.height / factor);
  const placement = drawn(random, width, height);
  const { scaleX, scaleY, shiftX, shiftY } = placement;
  const [x, y] = [truth.width / width, truth.height / height];
  const pixels = resampled(
    truth,
    tapsOf(truth.width, width, x / scaleX, (-shiftX / scaleX) * x),
    tapsOf(truth.height, height, y / scaleY, (-shiftY / scaleY) * y),
  );
  const normal = (): number => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  const data = Uint8Array.from(pixels, (value) =>
    Math.min(Math.max(Math.round(value + NOISE * normal()), 0), 255),
  );
  return { raw: { width, height, data }, placement };
}

/** In turns: in place, a shift, a scale, and a scale of its own along each side. */
function drawn(random: () => number, width: number, height: number): Placement {
  const form = Math.floor(random() * 4);
  const share = (): number => (random() * 2 - 1) * MOST;
  const scaleX = form >= 2 ? 1 + share() : 1;
  const scaleY = form === 3 ? 1 + share() : scaleX;
  // A scale is around the centre.
  const shiftX = form === 1 ? share() * width : ((1 - scaleX) * width) / 2;
  const shiftY = form === 1 ? share() * height : ((1 - scaleY) * height) / 2;
  return { scaleX, scaleY, shiftX, shiftY };
}

/** Numbers from 0 to 1, the same for an id: mulberry32, seeded by FNV-1a. */
function randomOf(id: string): () => number {
  let state = 2_166_136_261;
  for (const letter of id) state = Math.imul(state ^ letter.codePointAt(0)!, 16_777_619) >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
