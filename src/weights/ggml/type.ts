/**
 * An element type of GGUF files, as ggml lays it out (ggml-org/llama.cpp, `ggml/src/ggml-common.h`). Numbers are in
 * blocks, most of which begin or end with a scale d in fp16. Arithmetic is rounded to float32 where ggml rounds it.
 */
import { float16FromBits } from "../float-bits.ts";
import type { BlockFormat } from "../quantized.ts";

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

export interface ExactFormat {
  format: BlockFormat;
  /** Writes the integers of the block at byte `at`, in the runtime's order, to `blocks` from `to` on. */
  rewrite(bytes: Uint8Array, at: number, blocks: Uint8Array, to: number): void;
}

/** Types by their code in the file. */
export type GgufTypes = Readonly<Record<number, GgufType>>;

/** Numbers in a block of the types with a K, and of others that share its size. */
export const LARGE_BLOCK = 256;

export const { fround } = Math;
export const uint16At = (bytes: Uint8Array, at: number): number => bytes[at]! | (bytes[at + 1]! << 8);
export const uint32At = (bytes: Uint8Array, at: number): number =>
  (uint16At(bytes, at) | (uint16At(bytes, at + 2) << 16)) >>> 0;
export const float16At = (bytes: Uint8Array, at: number): number => float16FromBits(uint16At(bytes, at));
export const int8At = (bytes: Uint8Array, at: number): number => (bytes[at]! << 24) >> 24;
/** Of bytes that hold two integers each: number `index`, the low nibble first. */
export const nibbleAt = (bytes: Uint8Array, at: number, index: number): number =>
  (bytes[at + (index >> 1)]! >> ((index & 1) << 2)) & 15;
