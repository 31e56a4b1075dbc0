/** Weights as they are read for conversion: one at a time, some rows at a time, so that memory stays bounded. */
import type { BlockFormat } from "./quantized.ts";

/** The weights of one network under its own keys, whatever file they come from. */
export interface WeightSource {
  /** What a message calls it: a file or folder. */
  readonly name: string;
  /** The files that contain them, with links resolved. */
  readonly files: readonly string[];
  /** Bytes of all the weights as they are stored. */
  readonly byteLength: number;
  /** Which 16 bits lose the least of its numbers, if that is known. @default "fp16" */
  readonly half?: "fp16" | "bf16";
  weights(): Iterable<SourceWeight>;
}

export interface SourceWeight {
  key: string;
  shape: readonly number[];
  /** Rows `from` up to `to` as float32, for a weight of any shape: its first dimension counts rows, [] is one row. */
  rows(from: number, to: number): Promise<Float32Array>;
  /** Set if the file holds blocks that fit the runtime's format without rounding. */
  blocks?: SourceBlocks;
}

export interface SourceBlocks extends BlockFormat {
  read(from: number, to: number): Promise<{ blocks: Uint8Array; scales: Float32Array }>;
}
