/** MXFP4 and NVFP4: 4-bit floating point numbers (e2m1, here twice their value) with 8-bit scales. */
import { float32FromBits } from "../float-bits.ts";
import { fround, type GgufTypes } from "./type.ts";

/** 1000 is no negative zero here. */
const DOUBLED = [0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12];

/** Half of 2^(exponent - 127). */
const halfPower = (exponent: number): number =>
  float32FromBits(exponent < 2 ? 0x00200000 << exponent : (exponent - 1) << 23);

/** Half of an e4m3 number, whose sign bit has no meaning; 0x7f is 0. */
function halfE4m3(byte: number): number {
  if (byte === 0x7f) return 0;
  const [exponent, fraction] = [(byte >> 3) & 15, byte & 7];
  return exponent === 0 ? fraction * 2 ** -10 : (8 + fraction) * 2 ** (exponent - 11);
}

export const FP4_TYPES: GgufTypes = {
  39: {
    name: "MXFP4", // a power of two, 32 nibbles
    blockSize: 32,
    blockBytes: 17,
    widen(bytes, at, out, to) {
      const d = halfPower(bytes[at]!);
      for (let index = 0; index < 16; index += 1) {
        const byte = bytes[at + 1 + index]!;
        out[to + index] = d * DOUBLED[byte & 15]!;
        out[to + 16 + index] = d * DOUBLED[byte >> 4]!;
      }
    },
  },
  40: {
    name: "NVFP4", // four e4m3 scales, four times 16 nibbles
    blockSize: 64,
    blockBytes: 36,
    widen(bytes, at, out, to) {
      for (let run = 0; run < 4; run += 1) {
        const d = fround(halfE4m3(bytes[at + run]!));
        for (let index = 0; index < 8; index += 1) {
          const byte = bytes[at + 4 + run * 8 + index]!;
          out[to + run * 16 + index] = d * DOUBLED[byte & 15]!;
          out[to + run * 16 + 8 + index] = d * DOUBLED[byte >> 4]!;
        }
      }
    },
  },
};
