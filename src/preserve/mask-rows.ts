/** Rows of a mask at another size. */
import type { GrayPicture } from "../images/picture.ts";
import { placesOf } from "./places.ts";

/** Returns a function that gives a row of the enlarged or reduced mask, 0 to 1, until it is called again. */
export function maskRows(
  mask: GrayPicture,
  { width, height }: { width: number; height: number },
): (y: number) => Float32Array {
  const columns = placesOf(width, mask.width / width, 0, mask.width);
  const lines = placesOf(height, mask.height / height, 0, mask.height);
  const row = new Float32Array(mask.width);
  const result = new Float32Array(width);
  return (y) => {
    const [top, bottom, fy] = [lines.first[y]! * mask.width, lines.second[y]! * mask.width, lines.share[y]!];
    for (let x = 0; x < mask.width; x++) {
      row[x] = (mask.data[top + x]! + fy * (mask.data[bottom + x]! - mask.data[top + x]!)) / 255;
    }
    for (let x = 0; x < width; x++) {
      const first = row[columns.first[x]!]!;
      result[x] = first + columns.share[x]! * (row[columns.second[x]!]! - first);
    }
    return result;
  };
}
