/** 16-bit and fp8 numbers as float32, and float32 rounded to 16 bits: to the nearest, ties to even. */
import type { DType } from "../onnx/dtype.ts";

const bits = new Uint32Array(1);
const number = new Float32Array(bits.buffer);

/** The float32 that a float16 is. */
export function fromFloat16(half: number): number {
  const exponent = (half >> 10) & 31;
  const fraction = half & 1023;
  const sign = half & 0x8000 ? -1 : 1;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN;
  return sign * (1024 + fraction) * 2 ** (exponent - 25);
}

/** The nearest float16; too large a number becomes infinity. */
export function toFloat16(value: number): number {
  number[0] = value;
  const sign = (bits[0]! >>> 16) & 0x8000;
  const magnitude = bits[0]! & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00; // not a number
  if (magnitude >= 0x477ff000) return sign | 0x7c00; // from 65520 on
  if (magnitude < 0x38800000) {
    // Below 2^-14 the numbers lie 2^-24 apart; adding 0.5 makes the float32 unit round them.
    bits[0] = magnitude;
    number[0] = number[0]! + 0.5;
    return sign | (bits[0]! - 0x3f000000);
  }
  return sign | roundedShift(magnitude - 0x38000000, 13);
}

export function fromBfloat16(half: number): number {
  bits[0] = half << 16;
  return number[0]!;
}

export function toBfloat16(value: number): number {
  number[0] = value;
  const magnitude = bits[0]! & 0x7fffffff;
  const sign = (bits[0]! >>> 16) & 0x8000;
  return magnitude > 0x7f800000 ? sign | 0x7fc0 : sign | roundedShift(magnitude, 16);
}

/** `value` without its low bits, rounded. */
function roundedShift(value: number, count: number): number {
  const isOdd = (value >>> count) & 1;
  return (value + (1 << (count - 1)) - 1 + isOdd) >>> count;
}

/** e4m3 without infinities: exponent bias 7, and all ones is no number. */
const FLOAT8 = Float32Array.from({ length: 256 }, (_, byte) => {
  const [sign, exponent, fraction] = [byte & 128 ? -1 : 1, (byte >> 3) & 15, byte & 7];
  if ((byte & 127) === 127) return NaN;
  return exponent === 0 ? sign * fraction * 2 ** -9 : sign * (8 + fraction) * 2 ** (exponent - 10);
});

/** Stored numbers as float32. The bytes begin at a multiple of four. */
export function widened(dtype: DType | undefined, stored: Uint8Array): Float32Array {
  const { buffer, byteOffset, byteLength } = stored;
  switch (dtype) {
    case "float32":
      return new Float32Array(buffer, byteOffset, byteLength / 4);
    case "float16":
      return mapped(new Uint16Array(buffer, byteOffset, byteLength / 2), Float32Array, fromFloat16);
    case "bfloat16":
      return mapped(new Uint16Array(buffer, byteOffset, byteLength / 2), Float32Array, fromBfloat16);
    case "float8e4m3fn":
      return mapped(stored, Float32Array, (byte) => FLOAT8[byte]!);
    default:
      throw new Error(`Numbers of the type ${dtype} are not read.`);
  }
}

/** What `from` of typed arrays does, which is slower and holds a list of all numbers meanwhile. */
export function mapped<Target extends Float32Array | Uint16Array>(
  values: Float32Array | Uint16Array | Uint8Array,
  Type: new (length: number) => Target,
  change: (value: number) => number,
): Target {
  const result = new Type(values.length);
  for (let index = 0; index < values.length; index += 1) result[index] = change(values[index]!);
  return result;
}
