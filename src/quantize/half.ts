/** Float32 rounded to 16 bits: to nearest, ties to even. */

const bits = new Uint32Array(1);
const number = new Float32Array(bits.buffer);

/** The nearest float16; a number that is too large becomes infinity. */
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
