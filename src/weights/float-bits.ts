/** Numbers from the bits of their formats; float32 represents every number of the 16-bit formats exactly. */

const float = new Float32Array(1);
const word = new Uint32Array(float.buffer);

export function float32FromBits(bits: number): number {
  word[0] = bits;
  return float[0]!;
}

/** IEEE 754 half precision. */
export function float16FromBits(bits: number): number {
  const sign = (bits & 0x8000) << 16;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return (sign === 0 ? fraction : -fraction) * 2 ** -24;
  return float32FromBits(sign | ((exponent === 0x1f ? 0xff : exponent + 112) << 23) | (fraction << 13));
}

/** The upper half of a float32. */
export const bfloat16FromBits = (bits: number): number => float32FromBits(bits << 16);
