/** The tensors of a file in other layouts and formats: what the sources only read. */
import type { LayoutEntry } from "../../src/weights/tensor-file.ts";
import { widened } from "../../src/weights/widened.ts";
import { ggufOf } from "./gguf.ts";
import type { TensorFields } from "./safetensors.ts";

export type Tensors = Record<string, TensorFields>;

/** The tensors of a network in a layout: the bytes of an entry's parts, one after the other. */
export function inLayout(layout: readonly LayoutEntry[], tensors: Tensors): Tensors {
  return Object.fromEntries(
    layout.map(({ key, shape, parts, isSwapped }) => {
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
const GGUF_CODES: Readonly<Record<string, number>> = { F32: 0, F16: 1, BF16: 30 };
const ALIGNMENT = 32;

/** The bytes of a GGUF file with these tensors. */
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
