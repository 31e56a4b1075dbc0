/** Stored numbers of every type that can be read, as float32. */
import type { DType } from "../onnx/dtype.ts";
import { float16FromBits } from "./float-bits.ts";

/** e4m3 without infinities: exponent bias 7, and all ones is NaN. */
const FLOAT8 = Float32Array.from({ length: 256 }, (_, byte) => {
  const [sign, exponent, fraction] = [byte & 128 ? -1 : 1, (byte >> 3) & 15, byte & 7];
  if ((byte & 127) === 127) return NaN;
  return exponent === 0 ? sign * fraction * 2 ** -9 : sign * (8 + fraction) * 2 ** (exponent - 10);
});

/** The arrays of other types, which are rounded to float32. */
const ARRAYS = {
  float64: Float64Array,
  int32: Int32Array,
  int16: Int16Array,
  int8: Int8Array,
  uint32: Uint32Array,
  uint16: Uint16Array,
  uint8: Uint8Array,
  bool: Uint8Array,
} as const;
const LONG_ARRAYS = { int64: BigInt64Array, uint64: BigUint64Array } as const;

/** Stored numbers as float32. The bytes must begin at a multiple of four. */
export function widened(dtype: DType | undefined, stored: Uint8Array): Float32Array {
  const { buffer, byteOffset, byteLength } = stored;
  switch (dtype) {
    case "float64":
    case "int32":
    case "int16":
    case "int8":
    case "uint32":
    case "uint16":
    case "uint8":
    case "bool":
      // A copy, because eight bytes may begin at no multiple of eight.
      return Float32Array.from(new ARRAYS[dtype](Uint8Array.from(stored).buffer));
    case "int64":
    case "uint64":
      return Float32Array.from(new LONG_ARRAYS[dtype](Uint8Array.from(stored).buffer), Number);
    case "float32":
      return new Float32Array(buffer, byteOffset, byteLength / 4);
    case "float16":
      return fromTable((float16s ??= everyFloat16()), new Uint16Array(buffer, byteOffset, byteLength / 2));
    case "bfloat16":
      return upperHalves(new Uint16Array(buffer, byteOffset, byteLength / 2));
    case "float8e4m3fn":
      return fromTable(FLOAT8, stored);
    case "float8e5m2":
      // The upper half of a float16.
      return mapped(stored, Float32Array, (byte) => float16FromBits(byte << 8));
    default:
      throw new Error(`Numbers of the type ${dtype} are not read.`);
  }
}

/** Every number of float16, by its bits. */
let float16s: Float32Array | undefined;
const everyFloat16 = (): Float32Array =>
  Float32Array.from({ length: 2 ** 16 }, (_, bits) => float16FromBits(bits));

function fromTable(table: Float32Array, stored: Uint8Array | Uint16Array): Float32Array {
  const result = new Float32Array(stored.length);
  for (let index = 0; index < stored.length; index += 1) result[index] = table[stored[index]!]!;
  return result;
}

/** The numbers of bfloat16 are the upper halves of float32's. */
function upperHalves(stored: Uint16Array): Float32Array {
  const bits = new Uint32Array(stored.length);
  for (let index = 0; index < stored.length; index += 1) bits[index] = stored[index]! << 16;
  return new Float32Array(bits.buffer);
}

/** Like a typed array's `from`, which is slower and builds a list of all numbers. */
export function mapped<Target extends Float32Array | Uint16Array>(
  values: Float32Array | Uint16Array | Uint8Array,
  Type: new (length: number) => Target,
  change: (value: number) => number,
): Target {
  const result = new Type(values.length);
  for (let index = 0; index < values.length; index += 1) result[index] = change(values[index]!);
  return result;
}
