/** The tensors of a file in other layouts and formats: what the sources only read. */
import { toFloat16 } from "../../src/quantize/half.ts";
import type { LayoutEntry } from "../../src/weights/tensor-file.ts";
import { widened } from "../../src/weights/widened.ts";
import { ggufOf } from "./gguf.ts";
import type { TensorFields } from "./safetensors.ts";

export type Tensors = Record<string, TensorFields>;

/** The tensors of a network in a layout, as far as there are any: the bytes of an entry's parts, one after the other. */
export function inLayout(layout: readonly LayoutEntry[], tensors: Tensors): Tensors {
  return Object.fromEntries(
    layout
      .filter(({ parts }) => parts[0]!.key in tensors)
      .map(({ key, shape, parts, isSwapped }) => {
        const bytes = Buffer.concat(parts.map((part) => tensors[part.key]!.bytes));
        const half = bytes.length / 2;
        const ordered = isSwapped ? Buffer.concat([bytes.subarray(half), bytes.subarray(0, half)]) : bytes;
        return [key, { dtype: tensors[parts[0]!.key]!.dtype, shape: [...shape], bytes: ordered }];
      }),
  );
}

export const withPrefix = (prefix: string, tensors: Tensors): Tensors =>
  Object.fromEntries(Object.entries(tensors).map(([key, tensor]) => [`${prefix}${key}`, tensor]));

/** ggml's codes of the types. */
const GGUF_CODES: Readonly<Record<string, number>> = { F32: 0, F16: 1, Q4_0: 2, Q8_0: 8, BF16: 30 };
const ALIGNMENT = 32;

/** The bytes of a GGUF file with these tensors, whose types are ggml's or those of safetensors. */
export function asGguf(tensors: Tensors): Uint8Array {
  let offset = 0;
  const data: Uint8Array[] = [];
  const fields = Object.entries(tensors).map(([name, { dtype, shape, bytes }]) => {
    const start = offset;
    const padding = Buffer.alloc((ALIGNMENT - (bytes.length % ALIGNMENT)) % ALIGNMENT);
    offset += bytes.length + padding.length;
    data.push(bytes, padding);
    return { name, dims: shape.toReversed(), code: GGUF_CODES[dtype]!, offset: start };
  });
  return ggufOf(fields, { data: Buffer.concat(data) });
}

const TYPES = { F32: "float32", F16: "float16", BF16: "bfloat16" } as const;
/** A copy, because numbers may begin anywhere in a file. */
const numbersOf = ({ dtype, bytes }: TensorFields): Float32Array =>
  widened(TYPES[dtype as keyof typeof TYPES], Uint8Array.from(bytes));

/** Numbers of a block of Q4_0 and of Q8_0. */
const BLOCK = 32;

/**
 * Matrices in blocks of a scale and 32 numbers, as ggml rounds them, and the same numbers in float32.
 * @param kindOf the type of a matrix whose rows are whole blocks; all others stay as they are
 */
export function asBlocks(
  tensors: Tensors,
  kindOf: (key: string) => "Q4_0" | "Q8_0",
): { blocks: Tensors; exact: Tensors } {
  const [blocks, exact]: [Tensors, Tensors] = [{}, {}];
  for (const [key, tensor] of Object.entries(tensors)) {
    const { shape } = tensor;
    blocks[key] = exact[key] = tensor;
    if (shape.length !== 2 || shape[1]! % BLOCK !== 0) continue;
    const kind = kindOf(key);
    const rounded = Array.from(chunksOf(numbersOf(tensor)), kind === "Q4_0" ? roundedToQ4 : roundedToQ8);
    blocks[key] = { dtype: kind, shape, bytes: Buffer.concat(rounded.map(({ bytes }) => bytes)) };
    const values = Float32Array.from(rounded.flatMap((one) => one.values));
    exact[key] = { dtype: "F32", shape, bytes: new Uint8Array(values.buffer) };
  }
  return { blocks, exact };
}

interface Rounded {
  bytes: Buffer;
  values: number[];
}

function* chunksOf(numbers: Float32Array): Generator<Float32Array> {
  for (let at = 0; at < numbers.length; at += BLOCK) yield numbers.subarray(at, at + BLOCK);
}

/** The scale as 16 bits, and the number that they stand for. */
function halfOf(scale: number): { bytes: Buffer; value: number } {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16LE(toFloat16(scale));
  return { bytes, value: widened("float16", Uint8Array.from(bytes))[0]! };
}

function roundedToQ8(numbers: Float32Array): Rounded {
  const scale = halfOf(Math.max(...numbers.map(Math.abs)) / 127);
  const integers = Array.from(numbers, (value) =>
    scale.value === 0 ? 0 : Math.max(-128, Math.min(127, Math.round(value / scale.value))),
  );
  return {
    bytes: Buffer.concat([scale.bytes, Buffer.from(Int8Array.from(integers).buffer)]),
    values: integers.map((integer) => integer * scale.value),
  };
}

/** The number of the largest size becomes -8; the first half of a block has the low bits of its bytes. */
function roundedToQ4(numbers: Float32Array): Rounded {
  const largest = numbers.reduce((most, value) => (Math.abs(value) > Math.abs(most) ? value : most), 0);
  const scale = halfOf(largest / -8);
  const integers = Array.from(numbers, (value) =>
    scale.value === 0 ? 8 : Math.max(0, Math.min(15, Math.floor(value / scale.value + 8.5))),
  );
  const bytes = Array.from(
    { length: BLOCK / 2 },
    (_, at) => integers[at]! | (integers[at + BLOCK / 2]! << 4),
  );
  return {
    bytes: Buffer.concat([scale.bytes, Buffer.from(bytes)]),
    values: integers.map((integer) => (integer - 8) * scale.value),
  };
}

const FP8 = widened(
  "float8e4m3fn",
  Uint8Array.from({ length: 256 }, (_, byte) => byte),
);
const FP8_MAX = 448;

function nearestFp8(value: number): number {
  let [best, distance] = [0, Infinity];
  for (const [byte, known] of FP8.entries()) {
    const away = Math.abs(known - value);
    if (away < distance) [best, distance] = [byte, away];
  }
  return best;
}

/** Every matrix as fp8 with a factor, and the same numbers in float32. */
export function asScaledFp8(tensors: Tensors): { fp8: Tensors; exact: Tensors } {
  const [fp8, exact]: [Tensors, Tensors] = [{}, {}];
  for (const [key, tensor] of Object.entries(tensors)) {
    const { shape } = tensor;
    fp8[key] = exact[key] = tensor;
    if (shape.length !== 2) continue;
    const numbers = numbersOf(tensor);
    const scale = Math.fround(Math.max(...numbers.map(Math.abs)) / FP8_MAX);
    const bytes = Uint8Array.from(numbers, (value) => nearestFp8(value / scale));
    const widenedBytes = Float32Array.from(bytes, (byte) => FP8[byte]! * scale);
    fp8[key] = { dtype: "F8_E4M3", shape, bytes };
    const factor = new Uint8Array(Float32Array.of(scale).buffer);
    fp8[key.replace(/weight$/, "weight_scale")] = { dtype: "F32", shape: [], bytes: factor };
    exact[key] = { dtype: "F32", shape, bytes: new Uint8Array(widenedBytes.buffer) };
  }
  return { fp8, exact };
}
