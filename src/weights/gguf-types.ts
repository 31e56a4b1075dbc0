/** The element types of GGUF files that can be read: all that PyPI `gguf` 0.19.0 turns into numbers. */
import { IQ_TYPES } from "./ggml/iq.ts";
import { FP4_TYPES } from "./ggml/fp4.ts";
import { K_TYPES } from "./ggml/k.ts";
import { PLAIN_TYPES } from "./ggml/plain.ts";
import { TERNARY_TYPES } from "./ggml/ternary.ts";
import { type ExactFormat, float16At, type GgufType, type GgufTypes } from "./ggml/type.ts";
import { bytesPerBlock } from "./quantized.ts";

export type { GgufType } from "./ggml/type.ts";

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

const TYPES: GgufTypes = { ...PLAIN_TYPES, ...K_TYPES, ...IQ_TYPES, ...TERNARY_TYPES, ...FP4_TYPES };

/** The type with this code, or undefined for one that cannot be read. */
export const ggufTypeOf = (code: number): GgufType | undefined => TYPES[code];
/** The types that can be read, as listed in messages. */
export const GGUF_TYPES =
  "F32, F16, BF16, Q4_0 to Q8_0, Q2_K to Q6_K, IQ1_S to IQ4_XS, TQ1_0, TQ2_0, MXFP4 and NVFP4";
