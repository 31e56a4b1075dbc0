/** GGUF files by their description, as `scripts/reference/drawn/gguf_blocks.py` explains them: its every rule again. */
import { toFloat16 } from "../../src/quantize/half.ts";
import { hashes, tensorOf, type TensorRule } from "./drawn-numbers.ts";
import { type GgufFields, ggufOf } from "./gguf.ts";

interface BlockForm {
  /** ggml's number of the type. */
  code: number;
  /** Numbers and bytes of a block. */
  size: number;
  bytes: number;
  /** Random blocks hold numbers about as large as 2^`bits` times the scale. */
  bits: number;
  /** Offset of the scale in the block. */
  scale?: number;
  /** The same of a second scale, and its value in scales. */
  second?: readonly [offset: number, value: number];
}

const BLOCKS: Readonly<Record<string, BlockForm>> = {
  Q4_0: { code: 2, size: 32, bytes: 18, bits: 3 },
  Q4_1: { code: 3, size: 32, bytes: 20, bits: 3, second: [2, -7.5] },
  Q5_0: { code: 6, size: 32, bytes: 22, bits: 4 },
  Q5_1: { code: 7, size: 32, bytes: 24, bits: 4, second: [2, -15.5] },
  Q8_0: { code: 8, size: 32, bytes: 34, bits: 7 },
  Q2_K: { code: 10, size: 256, bytes: 84, bits: 5, scale: 80, second: [82, 1.5] },
  Q3_K: { code: 11, size: 256, bytes: 110, bits: 6, scale: 108 },
  Q4_K: { code: 12, size: 256, bytes: 144, bits: 9, second: [2, 7.5] },
  Q5_K: { code: 13, size: 256, bytes: 176, bits: 10, second: [2, 15.5] },
  Q6_K: { code: 14, size: 256, bytes: 210, bits: 11, scale: 208 },
  IQ4_NL: { code: 20, size: 32, bytes: 18, bits: 7 },
  IQ4_XS: { code: 23, size: 256, bytes: 136, bits: 11 },
};
const PLAIN_CODES: Readonly<Record<string, number>> = { F32: 0, F16: 1, BF16: 30 };
const ALIGNMENT = 32;

/** The bytes of the file; of its settings, only those that are read. */
export function drawnGguf(salt: string, tensors: Readonly<Record<string, TensorRule>>): Uint8Array {
  const fields: GgufFields[] = [];
  const data: Uint8Array[] = [];
  let offset = 0;
  for (const [name, rule] of Object.entries(tensors)) {
    const [dtype, shape] = rule;
    const form = BLOCKS[dtype];
    const bytes = form ? blocksOf(`${salt}/${name}`, form, rule) : tensorOf(salt, name, rule).bytes;
    const padding = (ALIGNMENT - (bytes.length % ALIGNMENT)) % ALIGNMENT;
    fields.push({ name, dims: shape.toReversed(), code: form?.code ?? PLAIN_CODES[dtype]!, offset });
    data.push(bytes, new Uint8Array(padding));
    offset += bytes.length + padding;
  }
  return ggufOf(fields, { alignment: ALIGNMENT, data: Buffer.concat(data) });
}

function blocksOf(key: string, form: BlockForm, [, shape, fill]: TensorRule): Uint8Array {
  const numBlocks = shape.reduce((product, side) => product * side, 1) / form.size;
  const bytes = Uint8Array.from(hashes(key, numBlocks * form.bytes), (hash) => hash >>> 24);
  const view = new DataView(bytes.buffer);
  const scale = 2 ** (Number(fill.slice(1)) - form.bits);
  for (let at = 0; at < bytes.length; at += form.bytes) {
    view.setUint16(at + (form.scale ?? 0), toFloat16(scale), true);
    if (form.second) view.setUint16(at + form.second[0], toFloat16(form.second[1] * scale), true);
  }
  return bytes;
}
