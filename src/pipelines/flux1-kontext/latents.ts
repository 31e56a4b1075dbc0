/** Where tokens are: a position is (stream, row, column), where stream 1 marks the reference. */
import type { Size } from "../../engine/request.ts";

/** The positions [h/2 * w/2, 3] of a latent grid's tokens. */
export function latentIds({ width, height }: Size, stream: 0 | 1): Float32Array {
  const [numRows, numColumns] = [height >> 1, width >> 1];
  const ids = new Float32Array(numRows * numColumns * 3);
  for (let index = 0; index < numRows * numColumns; index += 1) {
    ids.set([stream, Math.floor(index / numColumns), index % numColumns], index * 3);
  }
  return ids;
}

/** Positions of text tokens: all at the origin. */
export const textIds = (length: number): Float32Array => new Float32Array(length * 3);
