/** TQ1_0 and TQ2_0: blocks of 256 numbers -d, 0 or d. */
import { float16At, type GgufTypes, LARGE_BLOCK } from "./type.ts";

const THIRDS = [1, 3, 9, 27, 81];

/** Digit `place` of a byte that holds a fraction in base 3, as -1, 0 or 1. */
const digitOf = (byte: number, place: number): number => ((((byte * THIRDS[place]!) & 255) * 3) >> 8) - 1;

export const TERNARY_TYPES: GgufTypes = {
  34: {
    name: "TQ1_0", // 32, then 16 bytes of five digits, 4 of four; d
    blockSize: LARGE_BLOCK,
    blockBytes: 54,
    widen(bytes, at, out, to) {
      const d = float16At(bytes, at + 52);
      for (let index = 0; index < LARGE_BLOCK; index += 1) {
        // Digit r of all bytes of a group comes before digit r + 1 of any.
        const [start, first, width] = index < 160 ? [0, 0, 32] : index < 240 ? [32, 160, 16] : [48, 240, 4];
        const within = index - first;
        const byte = bytes[at + start + (within % width)]!;
        out[to + index] = d * digitOf(byte, Math.floor(within / width));
      }
    },
  },
  35: {
    name: "TQ2_0", // 64 bytes of four pairs of bits; d
    blockSize: LARGE_BLOCK,
    blockBytes: 66,
    widen(bytes, at, out, to) {
      const d = float16At(bytes, at + 64);
      for (let index = 0; index < LARGE_BLOCK; index += 1) {
        const byte = bytes[at + ((index >> 7) << 5) + (index & 31)]!;
        out[to + index] = d * (((byte >> (((index >> 5) & 3) << 1)) & 3) - 1);
      }
    },
  },
};
