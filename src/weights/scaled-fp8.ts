/**
 * Factors of fp8 weights, under every name in use: beside `X.weight` lies `X.scale_weight` (ComfyUI's older files) or
 * `X.weight_scale` (its newer ones, and Black Forest Labs'), one number or one for each row. `X.scale_input`,
 * `X.input_scale`, `X.comfy_quant` and the marker `scaled_fp8` concern the arithmetic of others and are not needed.
 */
import { RetouchError } from "../errors.ts";
import { byteSizeOf, type DType } from "../onnx/dtype.ts";
import { showShape } from "../onnx/graph.ts";
import { type FileNetwork, splitKey } from "./network-keys.ts";
import type { StoredTensor } from "./safetensors.ts";
import { elements } from "./tensor-file.ts";
import type { AssembledTensor } from "./weight-set.ts";

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

/**
 * The factor of a weight, if it has one.
 * @param name what the file calls the weight
 * @throws RetouchError CHECKPOINT_INVALID where there are two, or the only one fits neither the weight nor its rows
 */
export function scaleOf(
  { file, name, shape }: { file: string; name: string; shape: readonly number[] },
  scales: ReadonlyMap<string, readonly Scale[]>,
): StoredTensor | undefined {
  const [scale, second] = scales.get(name) ?? [];
  const invalid = (what: string): RetouchError =>
    new RetouchError("CHECKPOINT_INVALID", `The weights file ${file} has ${what}.`);
  if (second) throw invalid(`two factors of ${name}: ${scale!.name} and ${second.name}`);
  if (scale && !isFitting(scale, shape)) {
    const { storedType, shape: found } = scale.tensor;
    const wanted = shape.length === 2 ? `one number or ${shape[0]}, one for each row,` : "one number";
    throw invalid(`${scale.name} as ${storedType} ${showShape(found)} where ${wanted} is wanted`);
  }
  return scale?.tensor;
}

/** The weights of a folder, each with its factor. @throws RetouchError as {@link scaleOf} */
export function withScales(
  stored: ReadonlyMap<string, StoredTensor>,
): Map<string, StoredTensor | AssembledTensor> {
  const { tensors, scales } = separateScales(stored, []);
  const scaled = ([name, tensor]: [string, StoredTensor]): [string, StoredTensor | AssembledTensor] => {
    const { file, shape } = tensor;
    const scale = scaleOf({ file, name, shape }, scales);
    if (!scale) return [name, tensor];
    return [name, { shape, parts: [tensor], scale: [scaleOfRows(scale, 0, shape[0] ?? 1)] }];
  };
  return new Map([...tensors].map(scaled));
}

/** Whether a factor fits a weight: one number, or one for each row of a matrix. */
const isFitting = ({ tensor }: Scale, shape: readonly number[]): boolean =>
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
