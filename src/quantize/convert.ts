/** Rounds some rows of a weight on their way into a file, and measures the error. */
import { bfloat16FromBits, float16FromBits } from "../weights/float-bits.ts";
import { quantizeRows, type SquareSums } from "./blocks.ts";
import type { WeightFormat } from "./formats.ts";
import { toBfloat16, toFloat16 } from "./half.ts";

/** What a thread receives; its arrays are in shared memory, so nothing is copied. */
export interface Part {
  values: Float32Array;
  rowSize: number;
  format: Exclude<WeightFormat, "float32">;
  /** Receives blocks, or 16-bit numbers. */
  stored: Uint8Array;
  /** Receives the scales of blocks; otherwise empty. */
  scales: Float32Array;
}

export interface ConvertedPart extends SquareSums {
  /** A number that the format cannot hold. */
  lost?: number | undefined;
}

/** Fills `stored` and `scales`. */
export function convertPart({ values, rowSize, format, stored, scales }: Part): ConvertedPart {
  if (typeof format === "string") return narrow(values, format, stored);
  const { squaredError, squares } = quantizeRows(values, rowSize, format, { blocks: stored, scales });
  return { squaredError, squares };
}

function narrow(values: Float32Array, format: "float16" | "bfloat16", stored: Uint8Array): ConvertedPart {
  const halves = new Uint16Array(stored.buffer, stored.byteOffset, values.length);
  const [toBits, fromBits] =
    format === "float16" ? [toFloat16, float16FromBits] : [toBfloat16, bfloat16FromBits];
  let [squaredError, squares] = [0, 0];
  for (let index = 0; index < values.length; index += 1) {
    const value = values[index]!;
    const bits = toBits(value);
    halves[index] = bits;
    const error = value - fromBits(bits);
    squaredError += error * error;
    squares += value * value;
  }
  // Only an infinite error makes the sum infinite: squares of float32 numbers are far from float64's limits.
  if (squaredError !== Infinity) return { squaredError, squares };
  return {
    squaredError,
    squares,
    lost: values.find((value, index) => isLost(value, fromBits(halves[index]!))),
  };
}

const isLost = (value: number, stored: number): boolean => Number.isFinite(value) && !Number.isFinite(stored);
