/**
 * How latents become tokens: a token is a 2x2 patch of the latent grid, so a grid [C, h, w] is h/2 * w/2 tokens of 4C
 * numbers.
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

/** Planes [C, n] as tokens [n, C]: each takes one number of every plane. */
export function planesToTokens(planes: Float32Array, numChannels: number): Float32Array {
  const count = planes.length / numChannels;
  const tokens = new Float32Array(planes.length);
  for (let channel = 0; channel < numChannels; channel += 1) {
    for (let token = 0; token < count; token += 1) {
      tokens[token * numChannels + channel] = planes[channel * count + token]!;
    }
  }
  return tokens;
}

/** The reverse of `planesToTokens`. */
export const tokensToPlanes = (tokens: Float32Array, numChannels: number): Float32Array =>
  planesToTokens(tokens, tokens.length / numChannels);

/** How many tokens grids of latents are: each is a square of four cells. */
export const tokensIn = (grids: readonly Size[]): number =>
  grids.reduce((sum, { width, height }) => sum + (width * height) / 4, 0);
