/**
 * How each weight of a converted network is stored. The blocks' matrices, which hold nearly all of the numbers, get
 * few bits; small weights, and those that the whole image passes through once, stay exact. Modulation steers
 * every block, so it has 8 bits where the others have 4; it is a quarter of FLUX.1's published transformer.
 */
import { addsByteProducts } from "../machine/processor.ts";
import type { ConvertedKind } from "../weights/converted.ts";
import type { BlockFormat } from "../weights/quantized.ts";

export type WeightFormat = BlockFormat | "float32" | "float16" | "bfloat16";

/** Tables that single rows are taken from. */
const TABLE = /(?:^|\.)(?:shared|embed_tokens|relative_attention_bias)\.weight$/;
/** The transformer's input and output layers. */
const EDGE = /^(?:x_embedder|context_embedder|time_text_embed|time_guidance_embed|proj_out)\./;
/** Of each block and of the output, and those that all of FLUX.2's blocks share. */
const MODULATION =
  /(?:^|\.)(?:norm\w*|double_stream_modulation_(?:img|txt)|single_stream_modulation)\.linear\.weight$/;
/** Of the transformer. Text encoders have single inputs so large that the others of their row would lose their bits. */
const TRANSFORMER_BLOCK = /^(?:single_)?transformer_blocks\./;
const BLOCK_SIZE = 128;

/** The format of a weight; `blocks` is the source's own format, which is kept if it fits. */
export function formatOf(
  key: string,
  shape: readonly number[],
  kind: ConvertedKind,
  blocks?: BlockFormat | undefined,
): WeightFormat {
  if (kind === "fp32" || shape.length < 2) return "float32";
  if (kind === "fp16") return "float16";
  if (kind === "bf16") return "bfloat16";
  // Finer than bfloat16, and the published numbers are far from its limits.
  if (TABLE.test(key)) return "float16";
  if (shape.length > 2 || EDGE.test(key) || shape[1]! < BLOCK_SIZE) return "float32";
  const bits = kind === "int4" && !MODULATION.test(key) ? 4 : 8;
  if (blocks?.bits === bits) {
    const { blockSize, isRowScaled } = blocks;
    return { bits, blockSize, ...(isRowScaled && { isRowScaled }) };
  }
  const isRowScaled = bits === 8 && isMultipliedInRows(key, shape[1]!);
  return { bits, blockSize: BLOCK_SIZE, ...(isRowScaled && { isRowScaled }) };
}

/** Modulation is multiplied once per edit: finer scales cost it no time. */
const isMultipliedInRows = (key: string, columns: number): boolean =>
  TRANSFORMER_BLOCK.test(key) &&
  !MODULATION.test(key) &&
  columns % BLOCK_SIZE === 0 &&
  // Elsewhere blocks are as fast, and finer.
  addsByteProducts();
