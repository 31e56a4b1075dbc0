/** Where the pixels of a line lie on a coarser or finer line of numbers, between which they are interpolated. */

export interface Places {
  /** For each pixel, the two numbers around it, and how far it is from the first. */
  first: Int32Array;
  second: Int32Array;
  share: Float32Array;
  /** The next pixel that lies between two others. */
  end: Int32Array;
}

/**
 * @param length pixels
 * @param perPixel numbers a pixel
 * @param from position of the first number; pixels beyond the first and the last take those
 */
export function placesOf(length: number, perPixel: number, from: number, count: number): Places {
  const first = new Int32Array(length);
  const second = new Int32Array(length);
  const share = new Float32Array(length);
  const end = new Int32Array(length);
  for (let i = 0; i < length; i++) {
    const place = Math.min(Math.max((i + 0.5) * perPixel - 0.5 - from, 0), count - 1);
    first[i] = Math.floor(place);
    second[i] = Math.min(Math.floor(place) + 1, count - 1);
    share[i] = place - Math.floor(place);
  }
  for (let i = length - 1; i >= 0; i--) {
    end[i] = i < length - 1 && first[i] === first[i + 1] ? end[i + 1]! : i + 1;
  }
  return { first, second, share, end };
}
