/**
 * How latents become tokens. A token is a 2x2 patch of the latent grid, so a grid [C, h, w] is h/2 * w/2 tokens of
 * 4C numbers; its position is (stream, row, column), where stream 1 marks the reference.
 */
import type { Size } from "../../engine/request.ts";

/** Packs [C, h, w] into [h/2 * w/2, 4C]. Within a token: channel, then row, then column of the patch. */
export function packLatents(grid: Float32Array, numChannels: number, { width, height }: Size): Float32Array {
  const tokens = new Float32Array(grid.length);
  forEachCell(numChannels, { width, height }, (cell, packed) => (tokens[packed] = grid[cell]!));
  return tokens;
}

/** The reverse of `packLatents`. */
export function unpackLatents(
  tokens: Float32Array,
  numChannels: number,
  { width, height }: Size,
): Float32Array {
  const grid = new Float32Array(tokens.length);
  forEachCell(numChannels, { width, height }, (cell, packed) => (grid[cell] = tokens[packed]!));
  return grid;
}

function forEachCell(
  numChannels: number,
  { width, height }: Size,
  visit: (cell: number, packed: number) => void,
): void {
  for (let channel = 0; channel < numChannels; channel += 1) {
    for (let row = 0; row < height; row += 1) {
      for (let column = 0; column < width; column += 1) {
        const token = (row >> 1) * (width >> 1) + (column >> 1);
        const within = channel * 4 + (row & 1) * 2 + (column & 1);
        visit((channel * height + row) * width + column, token * numChannels * 4 + within);
      }
    }
  }
}

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
