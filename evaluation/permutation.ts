/** Whose instruction a scene gets where the instructions are shuffled. */
import { groupsOf } from "./groups.ts";

/** Of the shuffling; another one would be another baseline. */
const SEED = 20_260_101;

/**
 * For each of `kinds`, the place of another one: each is given once, none to itself, and none to its own kind unless one
 * kind is more than half of all.
 */
export function shuffledPlaces(kinds: readonly string[]): number[] {
  const places = shuffled(kinds.map((_, place) => place));
  const groups = [...groupsOf(places, (place) => kinds[place]!).values()];
  // Kind after kind in a ring: a turn by the largest kind takes every place out of its own.
  const ring = groups.flat();
  const largest = Math.max(...groups.map((group) => group.length));
  const turn = largest < ring.length ? largest : 1;
  const partners: number[] = [];
  for (const [at, place] of ring.entries()) partners[place] = ring[(at + turn) % ring.length]!;
  return partners;
}

/** Fisher and Yates. */
function shuffled(values: readonly number[]): number[] {
  const random = mulberry32(SEED);
  const result = [...values];
  for (let last = result.length - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1));
    [result[last], result[other]] = [result[other]!, result[last]!];
  }
  return result;
}

/** Tommy Ettinger's generator: uniform numbers from 0 to below 1. */
function mulberry32(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let bits = Math.imul(state ^ (state >>> 15), state | 1);
    bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61);
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32;
  };
}
