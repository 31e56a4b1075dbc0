/** A checkpoint's `.safetensors` weights as a source: parts assembled, scales applied, some rows at a time. */
import { open } from "node:fs/promises";
import { RetouchError } from "../errors.ts";
import { readRange } from "../files/ranges.ts";
import { byteSizeOf } from "../onnx/dtype.ts";
import type { StoredTensor } from "../weights/safetensors.ts";
import type { SourceWeight, WeightSource } from "../weights/weight-source.ts";
import { type AssembledTensor, assertReadable, type WeightSet } from "../weights/weight-set.ts";
import { widened } from "../weights/widened.ts";

/** @throws RetouchError CHECKPOINT_UNSUPPORTED when a weight is requested that is in few bits or cannot be read */
export function storedSource(weights: WeightSet): WeightSource {
  const stored = [...weights.entries()].map(([key, weight]) => {
    if ("blocks" in weight) throw new Error(`${weights.name}: ${key} is in few bits already.`);
    return { key, weight, parts: "parts" in weight ? weight.parts : [weight] };
  });
  return {
    name: weights.name,
    files: [...new Set(stored.flatMap(({ parts }) => parts).map(({ file }) => file))],
    byteLength: stored.flatMap(({ parts }) => parts).reduce((sum, part) => sum + part.byteLength, 0),
    *weights() {
      for (const { key, weight, parts } of stored) {
        for (const part of parts) assertReadable(weights.name, key, part);
        yield sourceWeight(key, weight, parts);
      }
    },
  };
}

function sourceWeight(
  key: string,
  weight: StoredTensor | AssembledTensor,
  parts: readonly StoredTensor[],
): SourceWeight {
  const { shape } = weight;
  const rowSize = shape.slice(1).reduce((product, dim) => product * dim, 1);
  const scale = "parts" in weight ? weight.scale : undefined;
  return {
    key,
    shape,
    async rows(from, to) {
      const values = await readRows(parts, rowSize, from, to);
      if (scale === undefined) return values;
      if (scale[0]!.shape.length === 0) {
        const [factor] = await readNumbers(scale[0]!, 0, 1);
        return values.map((value) => value * factor!);
      }
      const factors = await readRows(scale, 1, from, to);
      return values.map((value, index) => value * factors[Math.floor(index / rowSize)]!);
    },
  };
}

/** Rows `from` up to `to` of parts that lie below each other. */
async function readRows(
  parts: readonly StoredTensor[],
  rowSize: number,
  from: number,
  to: number,
): Promise<Float32Array> {
  const values = new Float32Array((to - from) * rowSize);
  let start = 0;
  for (const part of parts) {
    const end = start + (part.shape[0] ?? 1);
    const [first, last] = [Math.max(from, start), Math.min(to, end)];
    if (first < last) {
      values.set(
        await readNumbers(part, (first - start) * rowSize, (last - start) * rowSize),
        (first - from) * rowSize,
      );
    }
    start = end;
  }
  return values;
}

/** Numbers `from` up to `to` of a tensor. @throws RetouchError CHECKPOINT_INVALID */
async function readNumbers(
  { file, dtype, byteOffset }: StoredTensor,
  from: number,
  to: number,
): Promise<Float32Array> {
  const size = byteSizeOf(dtype!);
  const bytes = new Uint8Array((to - from) * size);
  const handle = await open(file, "r");
  try {
    if (await readRange(handle, bytes, byteOffset + from * size)) return widened(dtype, bytes);
  } finally {
    await handle.close();
  }
  throw new RetouchError("CHECKPOINT_INVALID", `The weights file ${file} became shorter while it was read.`);
}
