/** Pictures as planes of numbers, one per colour, and sums over squares of pixels. */
import { boxMeans, type Plane } from "../images/plane.ts";

/** Red, green and blue, 0 to 255, of one size. */
export type Colours = readonly [Plane, Plane, Plane];

/** A rectangle of interleaved colours [height, width, 3]. */
export function coloursOf(
  { width, data }: { width: number; data: ArrayLike<number> },
  rectangle: Rectangle,
): Colours {
  return [0, 1, 2].map((channel) => {
    const plane = new Float32Array(rectangle.width * rectangle.height);
    for (let y = 0, i = 0; y < rectangle.height; y++) {
      let from = ((rectangle.top + y) * width + rectangle.left) * 3 + channel;
      for (let x = 0; x < rectangle.width; x++, i++, from += 3) plane[i] = data[from]!;
    }
    return { width: rectangle.width, height: rectangle.height, data: plane };
  }) as unknown as Colours;
}

export interface Rectangle {
  left: number;
  top: number;
  width: number;
  height: number;
}

/** ITU-R BT.601, as JPEG has it. */
export function luminanceOf({
  width,
  height,
  data,
}: {
  width: number;
  height: number;
  data: ArrayLike<number>;
}): Plane {
  const plane = new Float32Array(width * height);
  for (let i = 0, from = 0; i < plane.length; i++, from += 3) {
    plane[i] = 0.299 * data[from]! + 0.587 * data[from + 1]! + 0.114 * data[from + 2]!;
  }
  return { width, height, data: plane };
}

/** The mean of the product over squares of 2 * radius + 1 pixels. */
export function meanProduct(a: Plane, b: Plane, radius: number): Float32Array {
  const { width } = a;
  const [one, other] = [a.data, b.data];
  return boxMeans(a, radius, (y, line, at) => {
    for (let x = 0, i = y * width; x < width; x++, i++) line[at + x] = one[i]! * other[i]!;
  });
}

/** The middle of the absolute values; of many, of an even sample. */
export function medianOf(values: Float32Array): number {
  if (values.length === 0) return 0;
  const step = Math.max(1, Math.floor(values.length / 65_536));
  const sample = new Float32Array(Math.ceil(values.length / step));
  for (let i = 0; i < sample.length; i++) sample[i] = Math.abs(values[i * step]!);
  return sample.toSorted()[sample.length >> 1]!;
}
