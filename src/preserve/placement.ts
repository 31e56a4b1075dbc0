/**
 * Where a network's result lies over its source. Networks shift and stretch what they draw anew by up to a few per cent,
 * which shows wherever the result is laid over the original.
 */

/** Position in the result of a position in the source, both in pixels of their one size: `x * scaleX + shiftX`. */
export interface Placement {
  scaleX: number;
  scaleY: number;
  shiftX: number;
  shiftY: number;
}

export const IN_PLACE: Placement = { scaleX: 1, scaleY: 1, shiftX: 0, shiftY: 0 };

export const isInPlace = ({ scaleX, scaleY, shiftX, shiftY }: Placement): boolean =>
  scaleX === 1 && scaleY === 1 && shiftX === 0 && shiftY === 0;
