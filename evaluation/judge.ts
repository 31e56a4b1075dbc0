/** Whether a result is what was asked for, and how good it is where it should differ from its source and where not. */
import type { Picture } from "../src/index.ts";
import { changeMask, changeOf, decibelsOf, distanceOf, outside, smallOf } from "./measures.ts";

/** What a result is held against, all at the size at which the network draws. */
export interface Answers {
  /** Whether nothing was asked for: the truth is the source. */
  isNothing: boolean;
  source: Picture;
  truth: Picture;
  /** The answers to other instructions for the same source, at 32x32. */
  candidates: readonly ArrayLike<number>[];
}

export interface Judgement {
  isFollowed: boolean;
  /** At 32x32, of 255: to the truth, and how much farther it is to the nearest wrong answer. */
  distance: number;
  margin: number;
  /** Decibels to the truth outside what the edit changes and inside; null where there is no such pixel. */
  kept: number | null;
  changed: number | null;
  /** Mean absolute difference to the source inside what the edit changes, of 255. */
  change: number | null;
}

/** A result of "nothing" has to be as near as this to its source, in decibels. */
const NOTHING_DECIBELS = 27;

export function judge(result: Picture, { isNothing, source, truth, candidates }: Answers): Judgement {
  const small = smallOf(result);
  const distance = distanceOf(small, smallOf(truth));
  const wrong = isNothing ? candidates : [smallOf(source), ...candidates];
  const margin = Math.min(...wrong.map((answer) => distanceOf(small, answer))) - distance;
  // As near to a wrong answer is not nearer to the right one.
  const isNearest = margin > 0;
  const mask = changeMask(source, truth);
  return {
    isFollowed: isNearest && (!isNothing || decibelsOf(result, source)! >= NOTHING_DECIBELS),
    distance,
    margin,
    kept: decibelsOf(result, truth, outside(mask)),
    changed: decibelsOf(result, truth, mask),
    change: changeOf(result, source, mask),
  };
}
