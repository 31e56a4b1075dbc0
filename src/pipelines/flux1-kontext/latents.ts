/** Where tokens are: a position is (stream, row, column), where stream 0 is the target's and the others are references'. */
import type { Size } from "../../engine/request.ts";

/** The position of a grid's first token. */
export interface Origin {
  stream: number;
  row: number;
  column: number;
}

/** The positions [h/2 * w/2, 3] of a latent grid's tokens. @param from the first one's, or a stream with the others from 0 */
export function latentIds({ width, height }: Size, from: Origin | 0 | 1): Float32Array {
  const { stream, row, column } = typeof from === "number" ? { stream: from, row: 0, column: 0 } : from;
  const [numRows, numColumns] = [height >> 1, width >> 1];
  const ids = new Float32Array(numRows * numColumns * 3);
  for (let index = 0; index < numRows * numColumns; index += 1) {
    const place = [stream, row + Math.floor(index / numColumns), column + (index % numColumns)];
    ids.set(place, index * 3);
  }
  return ids;
}

/** Positions of text tokens: all at the origin. */
export const textIds = (length: number): Float32Array => new Float32Array(length * 3);
