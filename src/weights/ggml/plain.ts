/** F32, F16 and BF16, and Q4_0 to Q8_0: blocks of 32 integers with a scale, some with an offset too. */
import { bfloat16FromBits, float32FromBits } from "../float-bits.ts";
import { float16At, fround, type GgufType, type GgufTypes, int8At, uint16At, uint32At } from "./type.ts";

/** Adding it changes no number, not even the sign of a zero. */
const NO_OFFSET = -0;

/**
 * A block of 32 integers of 4 bits, or of 5 with the fifth bits in the 4 bytes at `fifths`. In the 16 bytes at `at`,
 * the low nibbles are the first 16 integers and the high nibbles are the others.
 */
function widen32(
  bytes: Uint8Array,
  at: number,
  fifths: number | undefined,
  { scale, zero, offset }: { scale: number; zero: number; offset: number },
  out: Float32Array,
  to: number,
): void {
  for (let index = 0; index < 32; index += 1) {
    const low = (bytes[at + (index & 15)]! >> (index < 16 ? 0 : 4)) & 15;
    const high = fifths === undefined ? 0 : (bytes[fifths + (index >> 3)]! >> (index & 7)) & 1;
    out[to + index] = fround(scale * ((low | (high << 4)) - zero)) + offset;
  }
}

const Q8_0: GgufType = {
  name: "Q8_0", // d, 32 signed bytes
  blockSize: 32,
  blockBytes: 34,
  widen(bytes, at, out, to) {
    const d = float16At(bytes, at);
    for (let index = 0; index < 32; index += 1) out[to + index] = d * int8At(bytes, at + 2 + index);
  },
  exact: {
    format: { bits: 8, blockSize: 32 },
    rewrite(bytes, at, blocks, to) {
      for (let index = 0; index < 32; index += 1) blocks[to + index] = bytes[at + 2 + index]! ^ 0x80;
    },
  },
};

const Q4_0: GgufType = {
  name: "Q4_0", // d, 32 nibbles
  blockSize: 32,
  blockBytes: 18,
  widen(bytes, at, out, to) {
    widen32(bytes, at + 2, undefined, { scale: float16At(bytes, at), zero: 8, offset: NO_OFFSET }, out, to);
  },
  exact: {
    format: { bits: 4, blockSize: 32 },
    rewrite(bytes, at, blocks, to) {
      // ggml pairs numbers that are 16 apart; the runtime pairs neighbours.
      for (let index = 0; index < 8; index += 1) {
        const [even, odd] = [bytes[at + 2 + 2 * index]!, bytes[at + 3 + 2 * index]!];
        blocks[to + index] = (even & 15) | ((odd & 15) << 4);
        blocks[to + 8 + index] = (even >> 4) | (odd & 0xf0);
      }
    },
  },
};

/** The types without blocks, and the first ones with blocks of 32 numbers. */
export const PLAIN_TYPES: GgufTypes = {
  0: {
    name: "F32",
    blockSize: 1,
    blockBytes: 4,
    widen(bytes, at, out, to) {
      out[to] = float32FromBits(uint32At(bytes, at));
    },
  },
  1: {
    name: "F16",
    blockSize: 1,
    blockBytes: 2,
    widen(bytes, at, out, to) {
      out[to] = float16At(bytes, at);
    },
  },
  2: Q4_0,
  3: {
    name: "Q4_1", // d, offset, 32 nibbles
    blockSize: 32,
    blockBytes: 20,
    widen(bytes, at, out, to) {
      const numbers = { scale: float16At(bytes, at), zero: 0, offset: float16At(bytes, at + 2) };
      widen32(bytes, at + 4, undefined, numbers, out, to);
    },
  },
  6: {
    name: "Q5_0", // d, 32 fifth bits, 32 nibbles
    blockSize: 32,
    blockBytes: 22,
    widen(bytes, at, out, to) {
      widen32(bytes, at + 6, at + 2, { scale: float16At(bytes, at), zero: 16, offset: NO_OFFSET }, out, to);
    },
  },
  7: {
    name: "Q5_1", // d, offset, 32 fifth bits, 32 nibbles
    blockSize: 32,
    blockBytes: 24,
    widen(bytes, at, out, to) {
      const numbers = { scale: float16At(bytes, at), zero: 0, offset: float16At(bytes, at + 2) };
      widen32(bytes, at + 8, at + 4, numbers, out, to);
    },
  },
  8: Q8_0,
  30: {
    name: "BF16",
    blockSize: 1,
    blockBytes: 2,
    widen(bytes, at, out, to) {
      out[to] = bfloat16FromBits(uint16At(bytes, at));
    },
  },
};
