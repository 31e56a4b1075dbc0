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

export interface RotaryTable {
  /** Cosines and sines, [L, D/2] each. */
  cos: Float32Array;
  sin: Float32Array;
}

const ROTARY_BASE = 10_000;

/**
 * The angles by which attention rotates each token, for positions [L, 3]. They are computed in float64 and stored as
 * float32: half precision would merge positions beyond 256.
 * @param axes how many of a head's dimensions each of the three position axes rotates
 */
export function rotaryTable(ids: Float32Array, axes: readonly number[]): RotaryTable {
  const numTokens = ids.length / 3;
  const half = axes.reduce((sum, axis) => sum + axis, 0) / 2;
  const table: RotaryTable = {
    cos: new Float32Array(numTokens * half),
    sin: new Float32Array(numTokens * half),
  };
  const frequencies = axes.flatMap((size, axis) =>
    Array.from({ length: size / 2 }, (_, index) => ({
      axis,
      frequency: 1 / ROTARY_BASE ** ((2 * index) / size),
    })),
  );
  for (let token = 0; token < numTokens; token += 1) {
    frequencies.forEach(({ axis, frequency }, index) => {
      const angle = ids[token * 3 + axis]! * frequency;
      table.cos[token * half + index] = Math.cos(angle);
      table.sin[token * half + index] = Math.sin(angle);
    });
  }
  return table;
}
