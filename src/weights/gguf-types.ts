/**
 * The element types of GGUF files, as ggml lays them out (ggml-org/llama.cpp, `ggml/src/ggml-common.h`). Numbers are
 * in blocks that begin or end with a scale d in fp16, some with an offset too. The types with a K have blocks of 256
 * numbers, whose runs of 16 or 32 have a scale each, itself quantised. Arithmetic is rounded to float32 where ggml
 * rounds it.
 */
import { bfloat16FromBits, float16FromBits, float32FromBits } from "./float-bits.ts";
import { type BlockFormat, bytesPerBlock } from "./quantized.ts";

export interface GgufType {
  name: string;
  /** Numbers per block, and bytes per block. */
  blockSize: number;
  blockBytes: number;
  /** Writes the numbers of the block at byte `at` to `out` from `to` on. */
  widen(bytes: Uint8Array, at: number, out: Float32Array, to: number): void;
  /** Set if the runtime has a format for exactly these numbers. */
  exact?: ExactFormat;
}

interface ExactFormat {
  format: BlockFormat;
  /** Writes the integers of the block at byte `at`, in the runtime's order, to `blocks` from `to` on. */
  rewrite(bytes: Uint8Array, at: number, blocks: Uint8Array, to: number): void;
}

/** All numbers of whole blocks. */
export function dequantize({ blockSize, blockBytes, widen }: GgufType, bytes: Uint8Array): Float32Array {
  const numBlocks = bytes.length / blockBytes;
  const numbers = new Float32Array(numBlocks * blockSize);
  for (let block = 0; block < numBlocks; block += 1) {
    widen(bytes, block * blockBytes, numbers, block * blockSize);
  }
  return numbers;
}

/** The same numbers in the runtime's format: nothing is rounded. */
export function reblock(
  { blockBytes }: GgufType,
  { format, rewrite }: ExactFormat,
  bytes: Uint8Array,
): { blocks: Uint8Array; scales: Float32Array } {
  const numBlocks = bytes.length / blockBytes;
  const written = bytesPerBlock(format);
  const blocks = new Uint8Array(numBlocks * written);
  const scales = new Float32Array(numBlocks);
  for (let block = 0; block < numBlocks; block += 1) {
    scales[block] = float16At(bytes, block * blockBytes);
    rewrite(bytes, block * blockBytes, blocks, block * written);
  }
  return { blocks, scales };
}

const { fround } = Math;
const uint16At = (bytes: Uint8Array, at: number): number => bytes[at]! | (bytes[at + 1]! << 8);
const float16At = (bytes: Uint8Array, at: number): number => float16FromBits(uint16At(bytes, at));
const int8At = (bytes: Uint8Array, at: number): number => (bytes[at]! << 24) >> 24;

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

/** By their code in the file; other types are not used for FLUX.1 or T5. */
const TYPES: Readonly<Record<number, GgufType>> = {
  0: {
    name: "F32",
    blockSize: 1,
    blockBytes: 4,
    widen(bytes, at, out, to) {
      out[to] = float32FromBits(uint16At(bytes, at) | (uint16At(bytes, at + 2) << 16));
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
  30: {
    name: "BF16",
    blockSize: 1,
    blockBytes: 2,
    widen(bytes, at, out, to) {
      out[to] = bfloat16FromBits(uint16At(bytes, at));
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
  10: { name: "Q2_K", blockSize: 256, blockBytes: 84, widen: widenQ2K },
  11: { name: "Q3_K", blockSize: 256, blockBytes: 110, widen: widenQ3K },
  12: {
    name: "Q4_K",
    blockSize: 256,
    blockBytes: 144,
    widen(bytes, at, out, to) {
      widenRunsOf32(bytes, at, undefined, at + 16, out, to);
    },
  },
  13: {
    name: "Q5_K",
    blockSize: 256,
    blockBytes: 176,
    widen(bytes, at, out, to) {
      widenRunsOf32(bytes, at, at + 16, at + 48, out, to);
    },
  },
  14: { name: "Q6_K", blockSize: 256, blockBytes: 210, widen: widenQ6K },
};

/** The type with this code, or undefined for one that cannot be read. */
export const ggufTypeOf = (code: number): GgufType | undefined => TYPES[code];
/** The types that can be read, as listed in messages. */
export const GGUF_TYPES = "F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1 and Q2_K to Q6_K";
