/** Reads a file's tensors into memory as float32. */
import type { FileHandle } from "node:fs/promises";
import { readRange } from "../files/ranges.ts";
import type { StoredTensor } from "../weights/safetensors.ts";
import { widened } from "../weights/widened.ts";

/** The element types that can be read. */
export const NUMBER_TYPES = "F32, F16 and BF16";
export const isNumberType = ({ dtype }: StoredTensor): boolean =>
  dtype === "float32" || dtype === "float16" || dtype === "bfloat16";

/** @returns undefined if the file has become shorter than its header says */
export async function readNumbers(
  handle: FileHandle,
  { dtype, byteOffset, byteLength }: StoredTensor,
): Promise<Float32Array | undefined> {
  const bytes = new Uint8Array(byteLength);
  return (await readRange(handle, bytes, byteOffset)) ? widened(dtype, bytes) : undefined;
}
