/**
 * IQ1_S to IQ4_XS: groups of 4 or 8 numbers are rows of a table, with a sign each and scales of few bits over 16 or 32
 * of them; the types with 4 bits have a table of 16 single values.
 */
import { float16FromBits } from "../float-bits.ts";
import {
  IQ1_S_GRID,
  IQ2_S_GRID,
  IQ2_XS_GRID,
  IQ2_XXS_GRID,
  IQ3_S_GRID,
  IQ3_XXS_GRID,
  type PackedGrid,
} from "./grids.ts";
import { float16At, type GgufTypes, LARGE_BLOCK, nibbleAt, uint16At, uint32At } from "./type.ts";

/** All numbers of a table, row after row. */
export function unpackGrid({ values, bits, packed }: PackedGrid): Int8Array {
  const bytes = Buffer.from(packed, "base64");
  const perByte = 8 / bits;
  return Int8Array.from(
    { length: bytes.length * perByte },
    (_, index) =>
      values[(bytes[Math.floor(index / perByte)]! >> ((index % perByte) * bits)) & ((1 << bits) - 1)]!,
  );
}

/** Unpacked when a file first needs it. */
function lazyGrid(grid: PackedGrid): () => Int8Array {
  let unpacked: Int8Array | undefined;
  return () => (unpacked ??= unpackGrid(grid));
}

const iq1 = lazyGrid(IQ1_S_GRID);
const iq2xxs = lazyGrid(IQ2_XXS_GRID);
const iq2xs = lazyGrid(IQ2_XS_GRID);
const iq2s = lazyGrid(IQ2_S_GRID);
const iq3xxs = lazyGrid(IQ3_XXS_GRID);
const iq3s = lazyGrid(IQ3_S_GRID);

/** Seven signs and an eighth that makes the number of negative ones even; a set bit is a minus. */
function evenSigns(seven: number): number {
  let parity = seven;
  parity ^= parity >> 4;
  parity ^= parity >> 2;
  parity ^= parity >> 1;
  return seven | ((parity & 1) << 7);
}

/** Writes a row of `width` numbers times `scale`; bit i of `signs` negates number i. */
function writeRow(
  grid: Int8Array,
  row: number,
  width: 4 | 8,
  scale: number,
  signs: number,
  out: Float32Array,
  to: number,
): void {
  for (let index = 0; index < width; index += 1) {
    const number = scale * grid[row * width + index]!;
    out[to + index] = (signs >> index) & 1 ? -number : number;
  }
}

/** Writes the row of 8 numbers of the types with one bit, each moved by an eighth. */
function writeShifted(row: number, scale: number, shift: number, out: Float32Array, to: number): void {
  const grid = iq1();
  for (let index = 0; index < 8; index += 1) out[to + index] = scale * (grid[row * 8 + index]! + shift);
}

/** The values of IQ4_NL and IQ4_XS. */
const CURVE = [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113];

/** 16 bytes with 32 nibbles: the low ones first. */
function writeCurve(bytes: Uint8Array, at: number, scale: number, out: Float32Array, to: number): void {
  for (let index = 0; index < 16; index += 1) {
    out[to + index] = scale * CURVE[bytes[at + index]! & 15]!;
    out[to + 16 + index] = scale * CURVE[bytes[at + index]! >> 4]!;
  }
}

export const IQ_TYPES: GgufTypes = {
  16: {
    name: "IQ2_XXS", // d; for 32 numbers: four rows, four times seven signs, a scale of 4 bits
    blockSize: LARGE_BLOCK,
    blockBytes: 66,
    widen(bytes, at, out, to) {
      const d = float16At(bytes, at);
      for (let group = 0; group < 32; group += 1) {
        const run = at + 2 + (group >> 2) * 8;
        const signs = uint32At(bytes, run + 4);
        const scale = d * (0.5 + (signs >>> 28)) * 0.25;
        const seven = (signs >>> ((group & 3) * 7)) & 127;
        writeRow(iq2xxs(), bytes[run + (group & 3)]!, 8, scale, evenSigns(seven), out, to + group * 8);
      }
    },
  },
  17: {
    name: "IQ2_XS", // d; 32 times a row of 9 bits and seven signs; 16 scales of 4 bits
    blockSize: LARGE_BLOCK,
    blockBytes: 74,
    widen(bytes, at, out, to) {
      const d = float16At(bytes, at);
      for (let group = 0; group < 32; group += 1) {
        const both = uint16At(bytes, at + 2 + group * 2);
        const scale = d * (0.5 + nibbleAt(bytes, at + 66, group >> 1)) * 0.25;
        writeRow(iq2xs(), both & 511, 8, scale, evenSigns(both >> 9), out, to + group * 8);
      }
    },
  },
  22: {
    name: "IQ2_S", // d; 32 rows' low bytes; 32 times eight signs; the rows' upper two bits; 16 scales of 4 bits
    blockSize: LARGE_BLOCK,
    blockBytes: 82,
    widen(bytes, at, out, to) {
      const d = float16At(bytes, at);
      for (let group = 0; group < 32; group += 1) {
        const high = (bytes[at + 66 + (group >> 2)]! >> ((group & 3) << 1)) & 3;
        const row = bytes[at + 2 + group]! | (high << 8);
        const scale = d * (0.5 + nibbleAt(bytes, at + 74, group >> 1)) * 0.25;
        writeRow(iq2s(), row, 8, scale, bytes[at + 34 + group]!, out, to + group * 8);
      }
    },
  },
  18: {
    name: "IQ3_XXS", // d; 64 rows; for 32 numbers: four times seven signs, a scale of 4 bits
    blockSize: LARGE_BLOCK,
    blockBytes: 98,
    widen(bytes, at, out, to) {
      const d = float16At(bytes, at);
      for (let group = 0; group < 64; group += 1) {
        const signs = uint32At(bytes, at + 66 + (group >> 3) * 4);
        const scale = d * (0.5 + (signs >>> 28)) * 0.5;
        const eight = evenSigns((signs >>> (((group >> 1) & 3) * 7)) & 127);
        const row = bytes[at + 2 + group]!;
        writeRow(iq3xxs(), row, 4, scale, eight >> ((group & 1) << 2), out, to + group * 4);
      }
    },
  },
  21: {
    name: "IQ3_S", // d; 64 rows' low bytes; their ninth bits; 256 signs; 8 scales of 4 bits
    blockSize: LARGE_BLOCK,
    blockBytes: 110,
    widen(bytes, at, out, to) {
      const d = float16At(bytes, at);
      for (let group = 0; group < 64; group += 1) {
        const ninth = (bytes[at + 66 + (group >> 3)]! >> (group & 7)) & 1;
        const row = bytes[at + 2 + group]! | (ninth << 8);
        const signs = nibbleAt(bytes, at + 74, group);
        const scale = d * (1 + 2 * nibbleAt(bytes, at + 106, group >> 3));
        writeRow(iq3s(), row, 4, scale, signs, out, to + group * 4);
      }
    },
  },
  19: {
    name: "IQ1_S", // d; 32 rows' low bytes; for 32 numbers: the rows' upper three bits, a scale of 3, the shift's sign
    blockSize: LARGE_BLOCK,
    blockBytes: 50,
    widen(bytes, at, out, to) {
      const d = float16At(bytes, at);
      for (let group = 0; group < 32; group += 1) {
        const both = uint16At(bytes, at + 34 + (group >> 2) * 2);
        const row = bytes[at + 2 + group]! | (((both >> ((group & 3) * 3)) & 7) << 8);
        const scale = d * (2 * ((both >> 12) & 7) + 1);
        writeShifted(row, scale, both & 0x8000 ? -0.125 : 0.125, out, to + group * 8);
      }
    },
  },
  29: {
    name: "IQ1_M", // 32 rows' low bytes; their upper three bits and the shift's sign; 16 scales of 3 bits with d between
    blockSize: LARGE_BLOCK,
    blockBytes: 56,
    widen(bytes, at, out, to) {
      const scales = [0, 2, 4, 6].map((place) => uint16At(bytes, at + 48 + place));
      const d = float16FromBits(
        scales.reduce((half, part, index) => half | ((part >> 12) << (4 * index)), 0),
      );
      for (let group = 0; group < 32; group += 1) {
        const high = nibbleAt(bytes, at + 32, group);
        const row = bytes[at + group]! | ((high & 7) << 8);
        const scale = d * (2 * ((scales[group >> 3]! >> (((group >> 1) & 3) * 3)) & 7) + 1);
        writeShifted(row, scale, high & 8 ? -0.125 : 0.125, out, to + group * 8);
      }
    },
  },
  20: {
    name: "IQ4_NL", // d; 32 nibbles
    blockSize: 32,
    blockBytes: 18,
    widen(bytes, at, out, to) {
      writeCurve(bytes, at + 2, float16At(bytes, at), out, to);
    },
  },
  23: {
    name: "IQ4_XS", // d; the upper two bits of 8 scales, their lower four; 256 nibbles
    blockSize: LARGE_BLOCK,
    blockBytes: 136,
    widen(bytes, at, out, to) {
      const d = float16At(bytes, at);
      for (let run = 0; run < 8; run += 1) {
        const high = (uint16At(bytes, at + 2) >> (2 * run)) & 3;
        const scale = d * ((nibbleAt(bytes, at + 4, run) | (high << 4)) - 32);
        writeCurve(bytes, at + 8 + run * 16, scale, out, to + run * 32);
      }
    },
  },
};
