/** How strong the detail of a picture is around each pixel. */
import { boxMeans } from "../images/plane.ts";
import type { Colours } from "./colours.ts";

/** Standard deviation over squares of pixels, the largest of the three colours'. */
export function contrastOf(colours: Colours, radius: number): Float32Array {
  const largest = new Float32Array(colours[0].data.length);
  const mean = new Float32Array(largest.length);
  const squares = new Float32Array(largest.length);
  for (const { width, height, data } of colours) {
    const size = { width, height };
    boxMeans(size, radius, (y, line, at) => line.set(data.subarray(y * width, (y + 1) * width), at), mean);
    const fill = (y: number, line: Float32Array, at: number): void => {
      for (let x = 0, i = y * width; x < width; x++, i++) line[at + x] = data[i]! * data[i]!;
    };
    boxMeans(size, radius, fill, squares);
    for (let i = 0; i < largest.length; i++) {
      const variance = squares[i]! - mean[i]! * mean[i]!;
      if (variance > largest[i]!) largest[i] = variance;
    }
  }
  for (let i = 0; i < largest.length; i++) largest[i] = Math.sqrt(largest[i]!);
  return largest;
}

/** A plane less the mean of the nine pixels around each pixel. */
export function fineOf({ width, height, data }: Colours[0]): Float32Array {
  const fine = boxMeans({ width, height }, 1, (y, line, at) =>
    line.set(data.subarray(y * width, (y + 1) * width), at),
  );
  for (let i = 0; i < fine.length; i++) fine[i] = data[i]! - fine[i]!;
  return fine;
}

/** Squares of the fine detail of each pixel, summed over the three colours. */
export function fineSquaresOf(colours: Colours): Float32Array {
  const squares = new Float32Array(colours[0].data.length);
  for (const plane of colours) {
    const fine = fineOf(plane);
    for (let i = 0; i < fine.length; i++) squares[i]! += fine[i]! * fine[i]!;
  }
  return squares;
}

/** What noise of a standard deviation adds to such squares: the mean of nine pixels holds a ninth of the pixel itself. */
export const fineSquaresOfNoise = (noise: number): number => 3 * (8 / 9) * noise * noise;
