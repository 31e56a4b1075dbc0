/**
 * Writes a GGUF file (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md, version 3) of a synthetic transformer
 * in the layout of the original repository, which is what stable-diffusion.cpp reads. Its Q8_0 and Q4_0 hold 32 numbers
 * under a float16 scale; the transformer's own blocks are such blocks or several of them, so no number is rounded. Blocks
 * of 8 bits can be rounded to Q4_0, too.
 */
import { open } from "node:fs/promises";
import type { LayoutEntry } from "../../src/weights/tensor-file.ts";
import { toFloat16 } from "../../src/quantize/half.ts";
import { bytesPerBlock } from "../../src/weights/quantized.ts";
import type { SourceWeight } from "../../src/weights/weight-source.ts";

const ALIGNMENT = 32;
const GGML_BLOCK = 32;
const TYPE_F32 = 0;
const TYPE_OF_BITS = { 8: 8, 4: 2 } as const; // Q8_0, Q4_0
/** Value type of a string in the metadata. */
const STRING = 8;
/** Rows that are in memory at once. */
const ROWS = 512;

export interface GgufOptions {
  /** Of the tensors that have blocks. @default what the blocks have */
  bits?: 4 | 8;
}

export async function writeGguf(
  file: string,
  layout: readonly LayoutEntry[],
  weights: ReadonlyMap<string, SourceWeight>,
  options: GgufOptions = {},
): Promise<void> {
  let offset = 0;
  const tensors = layout.map((entry) => {
    // Each tensor has one format.
    const own = weights.get(entry.parts[0]!.key)!.blocks?.bits;
    const bits = own && (options.bits ?? own);
    const byteLength = bytesOf(entry.shape, bits);
    const start = offset;
    offset = align(offset + byteLength);
    const type = bits === undefined ? TYPE_F32 : TYPE_OF_BITS[bits];
    const read = bits === undefined ? floats : bits === own ? ggmlBlocks : q4Blocks;
    return { entry, start, byteLength, type, read };
  });
  const header = Buffer.concat([
    Buffer.from("GGUF"),
    uint32(3),
    uint64(tensors.length),
    uint64(1),
    text("general.architecture"),
    uint32(STRING),
    text("flux"),
    ...tensors.flatMap(({ entry: { key, shape }, start, type }) => [
      text(key),
      uint32(shape.length),
      // The first dimension is the contiguous one.
      ...shape.toReversed().map(uint64),
      uint32(type),
      uint64(start),
    ]),
  ]);
  const output = await open(file, "w");
  try {
    await output.write(header);
    await output.write(Buffer.alloc(align(header.length) - header.length));
    for (const { entry, byteLength, read } of tensors) {
      for (const part of entry.parts) {
        const weight = weights.get(part.key)!;
        for (const [from, to] of rowRanges(entry, part.shape[0]!)) {
          await output.write(await read(weight, from, to));
        }
      }
      await output.write(Buffer.alloc(align(byteLength) - byteLength));
    }
  } finally {
    await output.close();
  }
}

/** Ranges of a part's rows in the order of the file, where the two halves of some tensors are exchanged. */
function* rowRanges({ isSwapped }: LayoutEntry, rows: number): Generator<[from: number, to: number]> {
  const halves: [number, number][] = isSwapped
    ? [
        [rows / 2, rows],
        [0, rows / 2],
      ]
    : [[0, rows]];
  for (const [start, end] of halves) {
    for (let from = start; from < end; from += ROWS) yield [from, Math.min(end, from + ROWS)];
  }
}

function bytesOf([rows, columns = 1]: readonly number[], bits: 4 | 8 | undefined): number {
  if (bits === undefined) return rows! * columns * 4;
  if (columns % GGML_BLOCK !== 0) throw new Error(`GGUF cannot hold rows of ${columns} numbers in few bits.`);
  return rows! * (columns / GGML_BLOCK) * ggmlBlockBytes(bits);
}

const ggmlBlockBytes = (bits: 4 | 8): number => 2 + (GGML_BLOCK * bits) / 8;

async function floats(weight: SourceWeight, from: number, to: number): Promise<Uint8Array> {
  return new Uint8Array((await weight.rows(from, to)).buffer);
}

async function ggmlBlocks(weight: SourceWeight, from: number, to: number): Promise<Uint8Array> {
  const source = weight.blocks!;
  const { blocks, scales } = await source.read(from, to);
  const blocksOfRow = Math.ceil(weight.shape[1]! / source.blockSize);
  const ggmlOfRow = weight.shape[1]! / GGML_BLOCK;
  const [sourceBytes, partBytes] = [bytesPerBlock(source), (GGML_BLOCK * source.bits) / 8];
  const stride = ggmlBlockBytes(source.bits);
  const output = Buffer.alloc((to - from) * ggmlOfRow * stride);
  for (let row = 0; row < to - from; row += 1) {
    for (let index = 0; index < ggmlOfRow; index += 1) {
      const block = row * blocksOfRow + Math.floor((index * GGML_BLOCK) / source.blockSize);
      const at = (row * ggmlOfRow + index) * stride;
      output.writeUInt16LE(float16Bits(scales[block]!), at);
      const start = row * blocksOfRow * sourceBytes + index * partBytes;
      const part = blocks.subarray(start, start + partBytes);
      if (source.bits === 8)
        for (let i = 0; i < GGML_BLOCK; i += 1)
          output.writeInt8(source.isRowScaled ? (part[i]! << 24) >> 24 : part[i]! - 128, at + 2 + i);
      else rearrangeNibbles(part, output, at + 2);
    }
  }
  return output;
}

/** Rounded as ggml does it (`quantize_row_q4_0_ref`): the number farthest from 0 becomes -8. */
async function q4Blocks(weight: SourceWeight, from: number, to: number): Promise<Uint8Array> {
  const numbers = await weight.rows(from, to);
  const stride = ggmlBlockBytes(4);
  const output = Buffer.alloc((numbers.length / GGML_BLOCK) * stride);
  for (let start = 0, at = 0; start < numbers.length; start += GGML_BLOCK, at += stride) {
    let farthest = 0;
    for (let index = start; index < start + GGML_BLOCK; index += 1) {
      if (Math.abs(numbers[index]!) > Math.abs(farthest)) farthest = numbers[index]!;
    }
    const inverse = farthest === 0 ? 0 : -8 / farthest;
    output.writeUInt16LE(toFloat16(farthest / -8), at);
    const nibble = (index: number): number =>
      Math.min(15, Math.trunc(numbers[start + index]! * inverse + 8.5));
    for (let index = 0; index < GGML_BLOCK / 2; index += 1) {
      output[at + 2 + index] = nibble(index) | (nibble(index + GGML_BLOCK / 2) << 4);
    }
  }
  return output;
}

/** From neighbours in one byte to numbers 0 to 15 in the low halves and 16 to 31 in the high ones. */
function rearrangeNibbles(part: Uint8Array, output: Buffer, at: number): void {
  const nibble = (index: number): number => (part[index >> 1]! >>> (4 * (index & 1))) & 0xf;
  for (let index = 0; index < GGML_BLOCK / 2; index += 1) {
    output[at + index] = nibble(index) | (nibble(index + GGML_BLOCK / 2) << 4);
  }
}

/** Of a positive number that is exact in float16 and not below 2^-14. */
function float16Bits(value: number): number {
  const exponent = Math.floor(Math.log2(value));
  const fraction = (value / 2 ** exponent - 1) * 1024;
  if (exponent < -14 || !Number.isInteger(fraction)) throw new Error(`${value} is not exact in float16.`);
  return ((exponent + 15) << 10) | fraction;
}

const align = (offset: number): number => Math.ceil(offset / ALIGNMENT) * ALIGNMENT;

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

function uint64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}

const text = (value: string): Buffer => Buffer.concat([uint64(Buffer.byteLength(value)), Buffer.from(value)]);
