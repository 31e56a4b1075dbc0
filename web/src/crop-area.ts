/** The part of an image that is kept, as it is moved and resized: numbers alone. */

/** Shares of width and height, 0 to 1. */
export interface Area {
  left: number;
  top: number;
  right: number;
  bottom: number;
}

export const WHOLE: Area = { left: 0, top: 0, right: 1, bottom: 1 };
/** Smallest side, as a share. */
const LEAST = 0.02;

/** Which edges follow the pointer; none moves all of it. */
export interface Grip {
  x: "left" | "right" | undefined;
  y: "top" | "bottom" | undefined;
}

const clamp = (value: number, min: number, max: number): number => Math.min(max, Math.max(min, value));

/**
 * The area after a movement by shares of the image.
 * @param ratio width to height that it keeps, in shares of the image; undefined if it is free
 */
export function dragged(area: Area, { x, y }: Grip, [right, down]: [number, number], ratio?: number): Area {
  if (x === undefined && y === undefined) {
    const byX = clamp(right, -area.left, 1 - area.right);
    const byY = clamp(down, -area.top, 1 - area.bottom);
    return { left: area.left + byX, right: area.right + byX, top: area.top + byY, bottom: area.bottom + byY };
  }
  const next = { ...area };
  if (x === "left") next.left = clamp(area.left + right, 0, area.right - LEAST);
  if (x === "right") next.right = clamp(area.right + right, area.left + LEAST, 1);
  if (y === "top") next.top = clamp(area.top + down, 0, area.bottom - LEAST);
  if (y === "bottom") next.bottom = clamp(area.bottom + down, area.top + LEAST, 1);
  return ratio === undefined ? next : inRatio(next, { x, y }, ratio);
}

/** The largest area of this ratio inside one, at the corner that does not move. */
export function inRatio(area: Area, { x, y }: Grip, ratio: number): Area {
  const width = Math.min(area.right - area.left, (area.bottom - area.top) * ratio);
  const height = width / ratio;
  const left = x === "left" ? area.right - width : area.left;
  const top = y === "top" ? area.bottom - height : area.top;
  return { left, top, right: left + width, bottom: top + height };
}

/** The largest area of this ratio in the middle of the image. */
export function centred(ratio: number): Area {
  const [width, height] = ratio > 1 ? [1, 1 / ratio] : [ratio, 1];
  const [left, top] = [(1 - width) / 2, (1 - height) / 2];
  return { left, top, right: left + width, bottom: top + height };
}

/** In whole pixels of an image. */
export function pixelsOf({ left, top, right, bottom }: Area, size: { width: number; height: number }) {
  const x = Math.round(left * size.width);
  const y = Math.round(top * size.height);
  return {
    x,
    y,
    width: Math.max(1, Math.round(right * size.width) - x),
    height: Math.max(1, Math.round(bottom * size.height) - y),
  };
}
