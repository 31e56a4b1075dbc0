/** The rotary tables of an edit: texts of different lengths come before the same images. */
import { rotaryTable, type RotaryOptions, type RotaryTable } from "../../models/transformers/rotary.ts";

export interface TokenPositions extends RotaryOptions {
  /** Positions of a text's tokens, [length, axes]. */
  textIds: (length: number) => Float32Array;
  /** Those of the target and of each reference, [L, axes]. */
  imageIds: readonly Float32Array[];
}

/** The angles for the tokens of a text of so many tokens, and for those of the images. */
export function createRotary({
  textIds,
  imageIds,
  ...options
}: TokenPositions): (length: number) => RotaryTable {
  const tables = new Map<number, RotaryTable>();
  return (length) => {
    const table = tables.get(length) ?? rotaryTable(joined([textIds(length), ...imageIds]), options);
    tables.set(length, table);
    return table;
  };
}

/** One after the other. */
export function joined(parts: readonly Float32Array[]): Float32Array {
  const whole = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}
