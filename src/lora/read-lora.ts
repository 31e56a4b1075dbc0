/**
 * Reads a LoRA's `.safetensors` file, whichever naming its trainer used: diffusers and peft, sd-scripts (kohya),
 * ComfyUI, the original repository, XLabs. It covers the same conversions as `loaders/lora_conversion_utils.py` of
 * diffusers 0.42.1, with one table of names and rows, for a network of any size.
 */
import { open } from "node:fs/promises";
import { failure, RetouchError } from "../errors.ts";
import type { Adapter } from "../models/adapters.ts";
import { showShape } from "../onnx/graph.ts";
import { readSafetensors, type SafetensorsHeader, type StoredTensor } from "../weights/safetensors.ts";
import { elements } from "../weights/tensor-file.ts";
import { type PeftConfig, readPeftConfig } from "./alpha.ts";
import { otherMethodOf, type Role, splitKey } from "./keys.ts";
import { isNumberType, NUMBER_TYPES, readNumbers } from "./numbers.ts";
import type { FindTarget, Target } from "./targets.ts";

export interface LoraLayer extends Adapter {
  /** alpha / rank: the factor by which `up` must still be multiplied. */
  factor: number;
}

export interface Lora {
  layers: ReadonlyMap<string, LoraLayer>;
  /** Keys that match nothing in the network. */
  unusedKeys: readonly string[];
}

/** More than any published LoRA: rank 128 on every layer of the 12B model is 1.3 GB in half precision. */
const MAX_BYTES = 4 * 2 ** 30;
const MAX_RANK = 1024;
/** Each pattern is compared with every layer; no network has this many layers. */
const MAX_PATTERNS = 10_000;
const FLOAT = 4;
/** What errors call the file. */
const WHAT = "LoRA file";

/** Bytes that the file's numbers take in memory as float32. @throws RetouchError LORA_INVALID */
export async function loraBytes(file: string): Promise<number> {
  const { tensors } = await readHeader(file);
  // Tensors of other types are refused, whatever shape they claim.
  const numbers = [...tensors.values()].filter(isNumberType);
  return numbers.reduce((sum, { shape }) => sum + elements(shape) * FLOAT, 0);
}

/** @throws RetouchError LORA_INVALID or LORA_UNSUPPORTED, naming the file and the key */
export async function readLora(file: string, findTarget: FindTarget): Promise<Lora> {
  const { tensors, metadata } = await readHeader(file);
  for (const key of tensors.keys()) {
    const method = otherMethodOf(key);
    if (method) throw unsupported(file, `is a ${method} (${key}); plain LoRAs can be used`);
  }
  const config = readPeftConfig(metadata);
  if (config === undefined) throw invalid(file, "has metadata that are no JSON object");
  if (config.numPatterns > MAX_PATTERNS) {
    throw invalid(
      file,
      `has metadata with ${config.numPatterns} patterns of alpha; at most ${MAX_PATTERNS} are read`,
    );
  }
  if (config.isDora) throw unsupported(file, "is a DoRA by its metadata; plain LoRAs can be used");

  const modules = new Map<string, { target: Target; keys: Partial<Record<Role, string>> }>();
  const unusedKeys: string[] = [];
  for (const key of tensors.keys()) {
    const { module, role } = splitKey(key) ?? {};
    const target = module === undefined ? undefined : findTarget(module);
    if (target === undefined) {
      unusedKeys.push(key);
      continue;
    }
    const known = modules.get(module!) ?? { target, keys: {} };
    if (known.keys[role!]) throw invalid(file, `has both ${known.keys[role!]} and ${key}`);
    known.keys[role!] = key;
    modules.set(module!, known);
  }
  if (modules.size === 0) {
    const example = unusedKeys[0] ? `, such as ${unusedKeys[0]}` : "";
    throw invalid(file, `has ${unusedKeys.length} keys${example}, none of them for this network`);
  }

  const layers = new Map<string, LoraLayer>();
  const handle = await open(file);
  try {
    for (const [module, { target, keys }] of modules) {
      const source = { file, handle, tensors, config };
      for (const [layer, adapter] of await readModule(source, module, target, keys)) {
        if (layers.has(layer)) throw invalid(file, `adapts ${layer} a second time, in ${module}`);
        layers.set(layer, adapter);
      }
    }
  } finally {
    await handle.close();
  }
  return { layers, unusedKeys };
}

async function readHeader(file: string): Promise<SafetensorsHeader> {
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

interface Source {
  file: string;
  handle: Awaited<ReturnType<typeof open>>;
  tensors: ReadonlyMap<string, StoredTensor>;
  config: PeftConfig;
}

/** The adapters of a module's layers. Parts of a fused layer share A and have their own rows of B. */
async function readModule(
  source: Source,
  module: string,
  { columns, parts, isSwapped }: Target,
  keys: Partial<Record<Role, string>>,
): Promise<[layer: string, LoraLayer][]> {
  const { file, tensors, config } = source;
  if (keys.down === undefined || keys.up === undefined) {
    throw invalid(file, `has only one of the two matrices of ${module}`);
  }
  const rank = tensors.get(keys.down)!.shape[0] ?? 0;
  if (rank < 1 || rank > MAX_RANK) {
    throw invalid(file, `has ${keys.down} of the rank ${rank}; from 1 to ${MAX_RANK} can be used`);
  }
  const rows = parts.reduce((sum, part) => sum + part.rows, 0);
  const down = await readTensor(source, keys.down, [rank, columns]);
  const up = await readTensor(source, keys.up, [rows, rank]);
  const alpha = keys.alpha === undefined ? undefined : await readScalar(source, keys.alpha);
  let start = 0;
  return parts.map(({ layer, rows: count }) => {
    const range = up.subarray(start * rank, (start + count) * rank);
    start += count;
    const factor = alpha === undefined ? (config.scaleOf(layer, rank) ?? 1) : alpha / rank;
    return [layer, { rank, down, up: isSwapped ? swapped(range) : range, factor }];
  });
}

async function readTensor(source: Source, key: string, shape: readonly number[]): Promise<Float32Array> {
  const { file, handle, tensors } = source;
  const tensor = tensors.get(key)!;
  if (showShape(tensor.shape) !== showShape(shape)) {
    throw invalid(
      file,
      `has ${key} in the shape ${showShape(tensor.shape)} where ${showShape(shape)} is wanted`,
    );
  }
  if (!isNumberType(tensor)) {
    throw unsupported(file, `stores ${key} as ${tensor.storedType}; ${NUMBER_TYPES} can be read`);
  }
  const numbers = await readNumbers(handle, tensor);
  if (numbers === undefined) throw invalid(file, `ends inside ${key}`);
  if (!numbers.every(Number.isFinite)) throw invalid(file, `has numbers in ${key} that are not finite`);
  return numbers;
}

async function readScalar(source: Source, key: string): Promise<number> {
  const { shape } = source.tensors.get(key)!;
  const [value] = await readTensor(source, key, shape.length === 0 ? [] : [1]);
  return value!;
}

function swapped(matrix: Float32Array): Float32Array {
  const half = matrix.length / 2;
  const result = new Float32Array(matrix.length);
  result.set(matrix.subarray(half));
  result.set(matrix.subarray(0, half), half);
  return result;
}

const invalid = (file: string, fault: string): RetouchError =>
  new RetouchError("LORA_INVALID", failure("file", { what: WHAT, file, fault }));
const unsupported = (file: string, fault: string): RetouchError =>
  new RetouchError("LORA_UNSUPPORTED", failure("file", { what: WHAT, file, fault }));
