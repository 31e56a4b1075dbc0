import { describe, expect, it } from "vitest";
import { enlargePicture } from "../../src/images/enlarge.ts";
import { noise } from "./samples.ts";

const { fround } = Math;

/** One channel of one pixel, column after column, rounded to float32 after every addition. */
function pixelOf(
  picture: ReturnType<typeof noise>,
  [x, y, channel]: readonly number[],
  scale: number,
): number {
  const columns = taps(x!, picture.width, scale);
  const rows = taps(y!, picture.height, scale);
  const sum = rows.reduce((total, [row, rowWeight]) => {
    const across = columns.reduce(
      (part, [column, weight]) =>
        part + weight * picture.data[3 * (row * picture.width + column) + channel!]!,
      0,
    );
    return fround(total + rowWeight * fround(across));
  }, 0);
  return Math.floor(Math.min(Math.max(sum + 0.5, 0), 255));
}

function taps(position: number, length: number, scale: number): [number, number][] {
  const centre = (position + 0.5) / scale;
  const first = Math.max(Math.floor(centre - 2.5), 0);
  const end = Math.min(Math.floor(centre + 3.5), length);
  const places = Array.from({ length: end - first }, (_, k) => first + k);
  const weights = places.map((place) => fround(lanczos(place + 0.5 - centre)));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return places.map((place, k) => [place, fround(weights[k]! / total)]);
}

const lanczos = (x: number): number => {
  if (x === 0) return 1;
  if (Math.abs(x) >= 3) return 0;
  const angle = Math.PI * x;
  return (3 * Math.sin(angle) * Math.sin(angle / 3)) / (angle * angle);
};

describe("enlargePicture", () => {
  it("gives the sums of the filter to the last bit, at the border too", () => {
    const picture = noise(12, 9);
    const scale = 8;
    const { width, height, data } = enlargePicture(picture, 12 * scale, 9 * scale);
    expect([width, height]).toEqual([96, 72]);
    const expected = Uint8Array.from(data, (_, i) => {
      const pixel = Math.floor(i / 3);
      return pixelOf(picture, [pixel % width, Math.floor(pixel / width), i % 3], scale);
    });
    expect(Buffer.compare(data, expected)).toBe(0);
  });
});
