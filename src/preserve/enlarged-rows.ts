/** The network's pixels at the result's size, one by one: often only a part of a picture is needed. */
import type { Analysis } from "./analyse.ts";
import { tapsOf } from "./resample.ts";

/** Colours of 0 to 255, and somewhat beyond. */
export interface EnlargedRows {
  /** Goes to a row, of which only pixels between the map's columns from `start` to before `end` will be read. */
  startRow(y: number, start: number, end: number): void;
  readPixel(x: number, to: Float64Array): void;
}

/** @param raw [height, width, 3] at working size */
export function enlargedRows(
  raw: Uint8Array,
  { width: across, height: down, placement, rectangle }: Analysis,
  { width, height }: { width: number; height: number },
): EnlargedRows {
  const columns = tapsOf(across, width, (across / width) * placement.scaleX, placement.shiftX);
  const lines = tapsOf(down, height, (down / height) * placement.scaleY, placement.shiftY);
  const size = across * 3;
  const line = new Float32Array(size);
  const { first, weights, count } = columns;
  return {
    startRow(y, start, end) {
      // Pixels beyond the map take its first or last column.
      const isFirst = start === 0;
      const isLast = end === rectangle.width;
      const columnOf = (place: number): number =>
        (rectangle.left + place) * placement.scaleX + placement.shiftX;
      const from = isFirst ? 0 : 3 * Math.max(Math.floor(columnOf(start)) - count, 0);
      const to = isLast ? size : 3 * Math.min(Math.ceil(columnOf(end)) + count, across);
      line.fill(0, from, to);
      for (let k = 0, row = lines.first[y]! * size; k < lines.count; k++, row += size) {
        const weight = lines.weights[y * lines.count + k]!;
        if (weight === 0) continue;
        for (let i = from; i < to; i++) line[i]! += weight * raw[row + i]!;
      }
    },
    readPixel(x, to) {
      let red = 0;
      let green = 0;
      let blue = 0;
      for (let k = 0, w = x * count, at = first[x]! * 3; k < count; k++, w++, at += 3) {
        const weight = weights[w]!;
        red += weight * line[at]!;
        green += weight * line[at + 1]!;
        blue += weight * line[at + 2]!;
      }
      to[0] = red;
      to[1] = green;
      to[2] = blue;
    },
  };
}
