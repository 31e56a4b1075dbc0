/** Reads a file's tensors into memory as float32, and rounds as arithmetic in a file's own type does. */
import type { FileHandle } from "node:fs/promises";
import { readRange } from "../files/ranges.ts";
import { toBfloat16, toFloat16 } from "../quantize/half.ts";
import { bfloat16FromBits, float16FromBits } from "../weights/float-bits.ts";
import type { StoredTensor } from "../weights/safetensors.ts";
import { elements } from "../weights/tensor-file.ts";
import { mapped, widened } from "../weights/widened.ts";

interface NumberType {
  byteSize: number;
  read(bytes: Uint8Array): Float32Array;
}

const count = ({ byteLength }: Uint8Array, size: number): number => byteLength / size;

/** The element types that matrices may have. */
const FLOATS: Readonly<Record<string, NumberType>> = {
  F32: { byteSize: 4, read: (bytes) => widened("float32", bytes) },
  F16: { byteSize: 2, read: (bytes) => widened("float16", bytes) },
  BF16: { byteSize: 2, read: (bytes) => widened("bfloat16", bytes) },
  F64: {
    byteSize: 8,
    read: (bytes) => Float32Array.from(new Float64Array(bytes.buffer, 0, count(bytes, 8))),
  },
  F8_E4M3: { byteSize: 1, read: (bytes) => widened("float8e4m3fn", bytes) },
  // The upper half of a float16.
  F8_E5M2: {
    byteSize: 1,
    read: (bytes) => mapped(bytes, Float32Array, (byte) => float16FromBits(byte << 8)),
  },
};

/** Whole numbers, which trainers write for alpha. */
const WHOLE: Readonly<Record<string, NumberType>> = {
  I64: {
    byteSize: 8,
    read: (bytes) => Float32Array.from(new BigInt64Array(bytes.buffer, 0, count(bytes, 8)), Number),
  },
  I32: { byteSize: 4, read: (bytes) => Float32Array.from(new Int32Array(bytes.buffer, 0, count(bytes, 4))) },
  I16: { byteSize: 2, read: (bytes) => Float32Array.from(new Int16Array(bytes.buffer, 0, count(bytes, 2))) },
  I8: { byteSize: 1, read: (bytes) => Float32Array.from(new Int8Array(bytes.buffer)) },
  U8: { byteSize: 1, read: (bytes) => Float32Array.from(bytes) },
};

/** The element types that can be read. */
export const NUMBER_TYPES = Object.keys(FLOATS)
  .join(", ")
  .replace(/, (?=[^,]*$)/, " and ");
export const isNumberType = ({ storedType }: StoredTensor): boolean => Object.hasOwn(FLOATS, storedType);
export const isWholeType = ({ storedType }: StoredTensor): boolean => Object.hasOwn(WHOLE, storedType);

/** @returns undefined if the file has become shorter than its header says, or the range does not fit the shape */
export async function readNumbers(
  handle: FileHandle,
  { storedType, shape, byteOffset, byteLength }: StoredTensor,
): Promise<Float32Array | undefined> {
  const { byteSize, read } = (FLOATS[storedType] ?? WHOLE[storedType])!;
  if (byteLength !== elements(shape) * byteSize) return undefined;
  const bytes = new Uint8Array(byteLength);
  return (await readRange(handle, bytes, byteOffset)) ? read(bytes) : undefined;
}

/** A number as arithmetic in tensors of this type leaves it. */
export function roundedTo(storedType: string): (value: number) => number {
  if (storedType === "F16") return (value) => float16FromBits(toFloat16(value));
  if (storedType === "BF16") return (value) => bfloat16FromBits(toBfloat16(value));
  return storedType === "F64" ? (value) => value : Math.fround;
}
