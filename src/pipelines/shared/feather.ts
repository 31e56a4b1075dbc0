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
  // With a border that no way leads through, no pixel has to be asked for its place.
  const stride = width + 2;
  const distances = new Float32Array(stride * (height + 2)).fill(Infinity);
  for (let y = 0; y < height; y += 1) {
    const row = (y + 1) * stride + 1;
    for (let x = 0; x < width; x += 1) if (data[y * width + x] === 0) distances[row + x] = 0;
  }
  const pass = (first: number, step: 1 | -1): void => {
    const [side, diagonal, above, other] = [step, step * (stride + 1), step * stride, step * (stride - 1)];
    for (let row = 0; row < height; row += 1) {
      let at = first + step * row * stride;
      for (let x = 0; x < width; x += 1, at += step) {
        const straight = Math.min(distances[at - side]!, distances[at - above]!) + STRAIGHT;
        const slanted = Math.min(distances[at - diagonal]!, distances[at - other]!) + DIAGONAL;
        distances[at] = Math.min(distances[at]!, straight, slanted);
      }
    }
  };
  pass(stride + 1, 1);
  pass(height * stride + width, -1);
  const inner = new Float32Array(width * height);
  for (let y = 0; y < height; y += 1) {
    const row = (y + 1) * stride + 1;
    inner.set(distances.subarray(row, row + width), y * width);
  }
  return inner;
}
