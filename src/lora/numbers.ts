/** Reads tensors of a file into memory as float32. */
import type { FileHandle } from "node:fs/promises";
import type { StoredTensor } from "../weights/safetensors.ts";

/** The element types that are read. */
export const NUMBER_TYPES = "F32, F16 and BF16";
export const isNumberType = ({ dtype }: StoredTensor): boolean =>
  dtype === "float32" || dtype === "float16" || dtype === "bfloat16";

/** @returns undefined where the file has become shorter than its header says */
export async function readNumbers(
  handle: FileHandle,
  { dtype, byteOffset, byteLength }: StoredTensor,
): Promise<Float32Array | undefined> {
  const bytes = new Uint8Array(byteLength);
  for (let done = 0; done < byteLength;) {
    const { bytesRead } = await handle.read(bytes, done, byteLength - done, byteOffset + done);
    if (bytesRead === 0) return undefined;
    done += bytesRead;
  }
  if (dtype === "float32") return new Float32Array(bytes.buffer);
  const halves = new Uint16Array(bytes.buffer);
  return dtype === "bfloat16" ? widenBfloat16(halves) : Float32Array.from(halves, float16Value);
}

/** A bfloat16 is the upper half of a float32. */
function widenBfloat16(halves: Uint16Array): Float32Array {
  return new Float32Array(Uint32Array.from(halves, (half) => half << 16).buffer);
}

/** IEEE 754 binary16: a sign, 5 bits of exponent with the bias 15, 10 bits of fraction. */
export function float16Value(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >> 10) & 0x1f;
  const fraction = half & 0x3ff;
  if (exponent === 0x1f) return fraction === 0 ? sign * Infinity : NaN;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  return sign * (1024 + fraction) * 2 ** (exponent - 25);
}
