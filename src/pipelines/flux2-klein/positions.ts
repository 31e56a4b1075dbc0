/**
 * Where tokens are, as in diffusers' `Flux2KleinPipeline` (diffusers 0.42.1, `_prepare_latent_ids`,
 * `_prepare_image_ids`, `_prepare_text_ids`): a position is (time, row, column, number of the text token). The target is
 * at time 0, each reference ten later than the one before, and a text varies in its last number alone.
 */
import type { Size } from "../../engine/request.ts";

const AXES = 4;
const TARGET_TIME = 0;
const FIRST_REFERENCE_TIME = 10;
const BETWEEN_REFERENCES = 10;

/** The positions [h/2 * w/2, 4] of the target's tokens. @param grid its latent grid, in cells */
export const targetIds = (grid: Size): Float32Array => idsOf(grid, TARGET_TIME);

/** The same of a reference. @param index 0 for the first */
export const referenceIds = (grid: Size, index: number): Float32Array =>
  idsOf(grid, FIRST_REFERENCE_TIME + index * BETWEEN_REFERENCES);

/** The positions [length, 4] of a text's tokens. */
export function textIds(length: number): Float32Array {
  const ids = new Float32Array(length * AXES);
  for (let token = 0; token < length; token += 1) ids[token * AXES + 3] = token;
  return ids;
}

function idsOf({ width, height }: Size, time: number): Float32Array {
  const [numRows, numColumns] = [height >> 1, width >> 1];
  const ids = new Float32Array(numRows * numColumns * AXES);
  for (let token = 0; token < numRows * numColumns; token += 1) {
    ids.set([time, Math.floor(token / numColumns), token % numColumns, 0], token * AXES);
  }
  return ids;
}
