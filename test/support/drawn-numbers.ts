/** Numbers by their description, as `scripts/reference/drawn/stored.py` explains them: its every rule again. */
import { toBfloat16, toFloat16 } from "../../src/quantize/half.ts";
import type { TensorFields } from "./safetensors.ts";

export type TensorRule = readonly [dtype: string, shape: number[], fill: string];

/** Bits of a drawn whole number, without its sign. */
const BITS: Readonly<Record<string, number>> = { F64: 23, F32: 23, F16: 10, BF16: 7, F8_E4M3: 3 };

const WRITE: Readonly<Record<string, (values: Float64Array) => ArrayBufferView>> = {
  F64: (values) => values,
  F32: (values) => Float32Array.from(values),
  F16: (values) => Uint16Array.from(values, toFloat16),
  BF16: (values) => Uint16Array.from(values, toBfloat16),
  F8_E4M3: (values) => Uint8Array.from(values, toFloat8),
  I64: (values) => BigInt64Array.from(Array.from(values, BigInt)),
};

export function tensorOf(salt: string, key: string, [dtype, shape, fill]: TensorRule): TensorFields {
  const count = shape.reduce((product, side) => product * side, 1);
  const values = WRITE[dtype]!(filled(`${salt}/${key}`, count, BITS[dtype]!, fill));
  return { dtype, shape, bytes: new Uint8Array(values.buffer, values.byteOffset, values.byteLength) };
}

function filled(key: string, count: number, bits: number, fill: string): Float64Array {
  if (fill === "i") return Float64Array.from({ length: count }, (_, index) => index);
  if (fill.startsWith("c")) return new Float64Array(count).fill(Number(fill.slice(1)));
  const whole = Float64Array.from(hashes(key, count), (hash) => (hash >>> (31 - bits)) - 2 ** bits);
  if (fill === "n") return whole.map((value) => 1 + Math.floor(value / 4) * 2 ** -bits);
  const step = 2 ** (Number(fill.slice(1)) - bits);
  return whole.map((value) => value * step);
}

/** `count` numbers below 2^32: Wellons' lowbias32 of a counter that starts at the key's hash. */
export function hashes(key: string, count: number): Uint32Array {
  const start = textHash(key);
  return Uint32Array.from({ length: count }, (_, index) => {
    let value = (Math.imul(index, 0x9e3779b9) + start) | 0;
    value ^= value >>> 16;
    value = Math.imul(value, 0x7feb352d);
    value ^= value >>> 15;
    value = Math.imul(value, 0x846ca68b);
    return value ^ (value >>> 16);
  });
}

/** FNV-1a, 32 bits. */
function textHash(text: string): number {
  let value = 0x811c9dc5;
  for (const byte of Buffer.from(text)) value = Math.imul(value ^ byte, 0x01000193);
  return value;
}

const SMALLEST_EXPONENT = -6;

/** A number that float8 (E4M3) holds exactly. */
function toFloat8(value: number): number {
  const size = Math.abs(value);
  const sign = value < 0 ? 0x80 : 0;
  const exponent = size === 0 ? SMALLEST_EXPONENT - 1 : Math.floor(Math.log2(size));
  // Below 2^-6 the numbers lie 2^-9 apart.
  if (exponent < SMALLEST_EXPONENT) return sign | (size * 2 ** 9);
  return sign | ((exponent + 7) << 3) | (size * 2 ** (3 - exponent) - 8);
}
