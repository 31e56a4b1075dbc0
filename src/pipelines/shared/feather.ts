/** The soft edge inside a mask. */
import type { GrayPicture } from "../../images/picture.ts";

/** Of a step to a neighbour, and to a diagonal one: within 8 % of the distance in a straight line (Borgefors, 1986). */
const [STRAIGHT, DIAGONAL] = [3, 4];
const WHITE = 255;

/**
 * What is black stays black; what is white becomes so over `width` pixels from its edge inwards. The border of the picture
 * is no edge.
 * @param mask black and white
 */
export function feathered(mask: GrayPicture, width: number): GrayPicture {
  if (width === 0) return mask;
  const distances = distancesToBlack(mask);
  const full = (width + 1) * STRAIGHT;
  const data = mask.data.map((value, pixel) =>
    value === 0 ? 0 : Math.round(WHITE * Math.min(1, distances[pixel]! / full)),
  );
  return { width: mask.width, height: mask.height, data };
}

/** In two passes, from the top left and from the bottom right; in thirds of a pixel. */
function distancesToBlack({ width, height, data }: GrayPicture): Float32Array {
  const distances = Float32Array.from(data, (value) => (value === 0 ? 0 : Infinity));
  const nearer = (pixel: number, x: number, y: number, steps: readonly Step[]): void => {
    for (const [dx, dy, cost] of steps) {
      if (x + dx < 0 || x + dx >= width || y + dy < 0 || y + dy >= height) continue;
      const distance = distances[pixel + dy * width + dx]! + cost;
      if (distance < distances[pixel]!) distances[pixel] = distance;
    }
  };
  for (let pixel = 0; pixel < data.length; pixel += 1) {
    nearer(pixel, pixel % width, Math.floor(pixel / width), BEFORE);
  }
  for (let pixel = data.length - 1; pixel >= 0; pixel -= 1) {
    nearer(pixel, pixel % width, Math.floor(pixel / width), AFTER);
  }
  return distances;
}

type Step = readonly [dx: number, dy: number, cost: number];
const BEFORE: readonly Step[] = [
  [-1, 0, STRAIGHT],
  [-1, -1, DIAGONAL],
  [0, -1, STRAIGHT],
  [1, -1, DIAGONAL],
];
const AFTER: readonly Step[] = BEFORE.map(([dx, dy, cost]) => [-dx, -dy, cost]);
