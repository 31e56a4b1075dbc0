/** A LoRA's file in memory, and the tensors of one that is being read. */
import type { FileHandle } from "node:fs/promises";
import { failure, RetouchError } from "../errors.ts";
import { showShape } from "../onnx/graph.ts";
import { readSafetensors, type SafetensorsHeader, type StoredTensor } from "../weights/safetensors.ts";
import type { RowLengths } from "./dora.ts";
import { isNumberType, isWholeType, NUMBER_TYPES, readNumbers } from "./numbers.ts";

/** How a DoRA scales a layer, and the layer's own bias, which it leaves alone. */
export type Dora = { bias: Float32Array | undefined } & (
  | { kind: "rows"; magnitudes: Float32Array; lengths: RowLengths }
  | { kind: "rows-scaled-last"; factors: Float64Array }
  | { kind: "columns"; factors: Float64Array }
);

export interface LoraLayer {
  rank: number;
  /** A, [rank, columns]. */
  down: Float32Array;
  /** B, [rows, rank]. */
  up: Float32Array;
  /** alpha / rank: the factor by which `up` and `bias` must still be multiplied. */
  factor: number;
  /** The factor for an edit's scale, where it is not exactly their product. */
  factorOf?: ((scale: number) => number) | undefined;
  /** [rows]. */
  bias?: Float32Array | undefined;
  dora?: Dora | undefined;
}

export interface Lora {
  layers: ReadonlyMap<string, LoraLayer>;
  /** Weights that replace those of the network's norms, whatever the scale. */
  norms: ReadonlyMap<string, Float32Array>;
  /** Keys that match nothing in the network. */
  unusedKeys: readonly string[];
  /** What the user should know of the file, as the rest of a sentence that begins with its name. */
  remarks: readonly string[];
}

/** More than any published LoRA: rank 128 on every layer of the 12B model is 1.3 GB in half precision. */
const MAX_BYTES = 4 * 2 ** 30;
/** What errors call the file. */
const WHAT = "LoRA file";

/** @throws RetouchError LORA_INVALID */
export async function readHeader(file: string): Promise<SafetensorsHeader> {
  try {
    const header = await readSafetensors(file);
    const bytes = [...header.tensors.values()].reduce((sum, { byteLength }) => sum + byteLength, 0);
    if (bytes > MAX_BYTES) throw invalid(file, `has ${bytes} bytes; at most ${MAX_BYTES} are read`);
    return header;
  } catch (error) {
    if (!(error instanceof RetouchError) || error.code.startsWith("LORA_")) throw error;
    const { kind, values } = error.failure;
    throw new RetouchError("LORA_INVALID", { kind, values: { ...values, what: WHAT } }, { cause: error });
  }
}

export interface Source {
  file: string;
  handle: FileHandle;
  tensors: ReadonlyMap<string, StoredTensor>;
}

/** A tensor of one of these shapes. @throws RetouchError LORA_INVALID or LORA_UNSUPPORTED */
export async function readTensor(
  source: Source,
  key: string,
  ...shapes: readonly (readonly number[])[]
): Promise<Float32Array> {
  const { file, tensors } = source;
  const tensor = tensors.get(key)!;
  const wanted = shapes.map(showShape);
  if (!wanted.includes(showShape(tensor.shape))) {
    throw invalid(file, `has ${key} in the shape ${showShape(tensor.shape)} where ${wanted[0]} is wanted`);
  }
  if (!isNumberType(tensor)) {
    throw unsupported(file, `stores ${key} as ${tensor.storedType}; ${NUMBER_TYPES} can be read`);
  }
  return readFinite(source, key);
}

/** The only number of a tensor of any shape, also a whole one. @throws as {@link readTensor} */
export async function readScalar(source: Source, key: string): Promise<number> {
  const tensor = source.tensors.get(key)!;
  const { shape, storedType } = tensor;
  if (shape.some((dim) => dim !== 1)) {
    throw invalid(source.file, `has ${key} in the shape ${showShape(shape)} where one number is wanted`);
  }
  if (!isNumberType(tensor) && !isWholeType(tensor)) {
    throw unsupported(source.file, `stores ${key} as ${storedType}; ${NUMBER_TYPES} can be read`);
  }
  const [value] = await readFinite(source, key);
  return value!;
}

async function readFinite({ file, handle, tensors }: Source, key: string): Promise<Float32Array> {
  const numbers = await readNumbers(handle, tensors.get(key)!);
  if (numbers === undefined) throw invalid(file, `ends inside ${key}`);
  if (!numbers.every(Number.isFinite)) throw invalid(file, `has numbers in ${key} that are not finite`);
  return numbers;
}

export const invalid = (file: string, fault: string): RetouchError =>
  new RetouchError("LORA_INVALID", failure("file", { what: WHAT, file, fault }));
export const unsupported = (file: string, fault: string): RetouchError =>
  new RetouchError("LORA_UNSUPPORTED", failure("file", { what: WHAT, file, fault }));
