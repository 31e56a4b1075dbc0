/**
 * Matrices in few bits, in the blocks that the runtime's `MatMulNBits` multiplies. Every row [K] is cut into blocks of
 * `blockSize` numbers; a number is (q - 2^(bits - 1)) * scale, with q an unsigned integer of `bits` bits and one
 * float32 scale per block. Of the two 4-bit numbers in a byte, the first is the low nibble.
 */
import type { StoredTensor } from "./safetensors.ts";

export interface BlockFormat {
  bits: 4 | 8;
  /** Numbers per block; the last block of a row is padded. */
  blockSize: 32 | 128;
  /**
   * Whether all blocks of a row have the same scale, so that the row can be multiplied in one piece. Its numbers of 8 bits
   * are stored as int8, which the runtime multiplies as they are. @default false
   */
  isRowScaled?: boolean;
}

/** What a runtime reads for a quantised matrix. */
export interface QuantizedTensor extends BlockFormat {
  /** Shape of the matrix it represents: [N, K]. */
  shape: readonly [rows: number, columns: number];
  /** uint8, or int8 of rows with one scale: [N, blocks, blockSize * bits / 8] */
  blocks: StoredTensor;
  /** float32 [N, blocks] */
  scales: StoredTensor;
}

export const blocksPerRow = (columns: number, { blockSize }: BlockFormat): number =>
  Math.ceil(columns / blockSize);
export const storedTypeOf = ({ isRowScaled }: BlockFormat): "int8" | "uint8" =>
  isRowScaled ? "int8" : "uint8";
export const bytesPerBlock = ({ bits, blockSize }: BlockFormat): number => (blockSize * bits) / 8;
