/** Q2_K to Q6_K: blocks of 256 integers, whose runs of 16 or 32 have a scale each, itself quantised. */
import { float16At, fround, type GgufTypes, int8At, LARGE_BLOCK } from "./type.ts";

/**
 * The blocks of Q4_K and Q5_K: d, a second d for the offsets, then twelve bytes with eight scales and eight offsets of 6
 * bits, four of each whole and the others in pieces. Each pair serves 32 numbers, which are the low or the high
 * nibbles of 32 bytes.
 * @param fifths where the fifth bits are: bit r of byte i for number i of run r
 */
function widenRunsOf32(
  bytes: Uint8Array,
  at: number,
  fifths: number | undefined,
  nibbles: number,
  out: Float32Array,
  to: number,
): void {
  const [d, dOffset] = [float16At(bytes, at), float16At(bytes, at + 2)];
  const [a, b, c] = [at + 4, at + 8, at + 12];
  for (let run = 0; run < 8; run += 1) {
    const i = run & 3;
    const whole = run < 4;
    const scale = whole ? bytes[a + i]! & 63 : (bytes[c + i]! & 15) | ((bytes[a + i]! >> 2) & 48);
    const offset = whole ? bytes[b + i]! & 63 : (bytes[c + i]! >> 4) | ((bytes[b + i]! >> 2) & 48);
    const runScale = fround(d * scale);
    const runOffset = fround(dOffset * offset);
    const from = nibbles + (run >> 1) * 32;
    for (let index = 0; index < 32; index += 1) {
      const low = (bytes[from + index]! >> ((run & 1) << 2)) & 15;
      const high = fifths === undefined ? 0 : (bytes[fifths + index]! >> run) & 1;
      out[to + run * 32 + index] = fround(runScale * (low | (high << 4))) - runOffset;
    }
  }
}

/** For 128 numbers of 2 bits, byte i of 32 has numbers i, 32 + i, 64 + i and 96 + i, starting from its low end. */
const bitPair = (bytes: Uint8Array, at: number, index: number): number =>
  (bytes[at + ((index >> 7) << 5) + (index & 31)]! >> (((index >> 5) & 3) << 1)) & 3;

/** 16 scales and offsets of 4 bits, 256 pairs of bits, d, d of the offsets. */
function widenQ2K(bytes: Uint8Array, at: number, out: Float32Array, to: number): void {
  const [d, dOffset] = [float16At(bytes, at + 80), float16At(bytes, at + 82)];
  for (let run = 0; run < 16; run += 1) {
    const both = bytes[at + run]!;
    const scale = fround(d * (both & 15));
    const offset = fround(dOffset * (both >> 4));
    for (let index = run * 16; index < run * 16 + 16; index += 1) {
      out[to + index] = fround(scale * bitPair(bytes, at + 16, index)) - offset;
    }
  }
}

/** 256 third bits, 256 pairs of bits, 16 scales of 6 bits (the lower four in eight bytes, the upper two in four), d. */
function widenQ3K(bytes: Uint8Array, at: number, out: Float32Array, to: number): void {
  const d = float16At(bytes, at + 108);
  for (let run = 0; run < 16; run += 1) {
    const low = (bytes[at + 96 + (run & 7)]! >> (run < 8 ? 0 : 4)) & 15;
    const high = (bytes[at + 104 + (run & 3)]! >> ((run >> 2) << 1)) & 3;
    const scale = fround(d * ((low | (high << 4)) - 32));
    for (let index = run * 16; index < run * 16 + 16; index += 1) {
      const third = (bytes[at + (index & 31)]! >> (index >> 5)) & 1;
      out[to + index] = scale * ((bitPair(bytes, at + 32, index) | (third << 2)) - 4);
    }
  }
}

/** 256 nibbles (of 128, the first 64 are the low nibbles of 64 bytes), 256 pairs of bits, 16 signed scales, d. */
function widenQ6K(bytes: Uint8Array, at: number, out: Float32Array, to: number): void {
  const d = float16At(bytes, at + 208);
  for (let run = 0; run < 16; run += 1) {
    const scale = fround(d * int8At(bytes, at + 192 + run));
    for (let index = run * 16; index < run * 16 + 16; index += 1) {
      const low = (bytes[at + ((index >> 7) << 6) + (index & 63)]! >> ((index & 64) >> 4)) & 15;
      out[to + index] = scale * ((low | (bitPair(bytes, at + 128, index) << 4)) - 32);
    }
  }
}

export const K_TYPES: GgufTypes = {
  10: { name: "Q2_K", blockSize: LARGE_BLOCK, blockBytes: 84, widen: widenQ2K },
  11: { name: "Q3_K", blockSize: LARGE_BLOCK, blockBytes: 110, widen: widenQ3K },
  12: {
    name: "Q4_K",
    blockSize: LARGE_BLOCK,
    blockBytes: 144,
    widen(bytes, at, out, to) {
      widenRunsOf32(bytes, at, undefined, at + 16, out, to);
    },
  },
  13: {
    name: "Q5_K",
    blockSize: LARGE_BLOCK,
    blockBytes: 176,
    widen(bytes, at, out, to) {
      widenRunsOf32(bytes, at, at + 16, at + 48, out, to);
    },
  },
  14: { name: "Q6_K", blockSize: LARGE_BLOCK, blockBytes: 210, widen: widenQ6K },
};
