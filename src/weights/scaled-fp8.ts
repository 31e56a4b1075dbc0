/**
 * Factors of fp8 weights, under every name in use: beside `X.weight` lies `X.scale_weight` (ComfyUI's older files) or
 * `X.weight_scale` (its newer ones, and Black Forest Labs'), one number or one for each row. `X.scale_input`,
 * `X.input_scale`, `X.comfy_quant` and the marker `scaled_fp8` concern the arithmetic of others and are not needed.
 */
import { type FileNetwork, splitKey } from "./network-keys.ts";
import { byteSizeOf, type DType } from "../onnx/dtype.ts";
import type { StoredTensor } from "./safetensors.ts";
import { elements } from "./tensor-file.ts";

const MARKER = "scaled_fp8";
const BESIDE = /^(.+)\.(scale_weight|weight_scale|scale_input|input_scale|comfy_quant)$/;
const SCALE_TYPES = new Set<DType | undefined>(["float32", "float16", "bfloat16"]);

/** A factor and its key in the file. */
export interface Scale {
  name: string;
  tensor: StoredTensor;
}

/** Separates what belongs to fp8 from the weights. The factors are by the key of their weight. */
export function separateScales(
  stored: ReadonlyMap<string, StoredTensor>,
  known: readonly FileNetwork[],
): {
  tensors: Map<string, StoredTensor>;
  scales: Map<string, Scale[]>;
} {
  const tensors = new Map<string, StoredTensor>();
  const scales = new Map<string, Scale[]>();
  for (const [name, tensor] of stored) {
    if (name.slice(splitKey(name, known).prefix.length) === MARKER) continue;
    const [, layer, kind] = BESIDE.exec(name) ?? [];
    const weight = `${layer}.weight`;
    if (layer === undefined || !stored.has(weight)) tensors.set(name, tensor);
    else if (kind!.includes("scale") && kind!.includes("weight")) {
      scales.set(weight, [...(scales.get(weight) ?? []), { name, tensor }]);
    }
  }
  return { tensors, scales };
}

/** Whether a factor fits a weight: one number, or one for each row of a matrix. */
export const isFitting = ({ tensor }: Scale, shape: readonly number[]): boolean =>
  SCALE_TYPES.has(tensor.dtype) && (elements(tensor.shape) === 1 || isOfRows(tensor, shape));

function isOfRows({ shape: [first, ...rest] }: StoredTensor, shape: readonly number[]): boolean {
  return shape.length === 2 && first === shape[0] && rest.every((dim) => dim === 1);
}

/** The factors of rows `from` up to `to` of a weight: [] if one number serves all, else [rows, 1]. */
export function scaleOfRows(tensor: StoredTensor, from: number, to: number): StoredTensor {
  if (elements(tensor.shape) === 1) return { ...tensor, shape: [] };
  const size = byteSizeOf(tensor.dtype!);
  return {
    ...tensor,
    shape: [to - from, 1],
    byteOffset: tensor.byteOffset + from * size,
    byteLength: (to - from) * size,
  };
}
