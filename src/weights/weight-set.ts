/** The tensors of one network's files, given to the graph by key, each exactly once. */
import { RetouchError } from "../errors.ts";
import type { DType } from "../onnx/dtype.ts";
import { externalTensor, showShape, type Value } from "../onnx/graph.ts";
import { concat, gather, mul, toFloat32 } from "../onnx/ops.ts";
import { type BlockMatrix, unsignedBytes } from "../onnx/quantized-ops.ts";
import path from "node:path";
import { float8Rows } from "./float8-rows.ts";
import type { QuantizedTensor } from "./quantized.ts";
import type { StoredTensor } from "./safetensors.ts";
import { isDerived } from "./unused-keys.ts";

/** What quantising tools store beside a weight; without it, the weight's numbers mean nothing. */
const QUANTISATION_KEYS =
  /\.(?:weight_scale(?:_2|_inv)?|scale_weight|SCB|qweight|qzeros|weight\.(?:absmax|quant_map|nested_absmax|quant_state\.[^.]{1,100}))$/;

const FLOAT8 = /^F8_/;

/**
 * The element types that a weight may have in its file. By default (see `isKeptHalf`), the runtime casts all of them,
 * including fp8, to float32 when it loads the network, as the reference does: 32 Mi numbers are 128 MiB of memory, from
 * an fp8 file as from a float32 one. Of tables, only the rows that are read are cast.
 */
const READABLE = new Set<DType>([
  ...(["float64", "float32", "float16", "bfloat16", "float8e4m3fn", "float8e5m2"] as const),
  ...(["int64", "int32", "int16", "int8", "uint64", "uint32", "uint16", "uint8", "bool"] as const),
]);
export const READABLE_TYPES = "F64, F32, F16, BF16, F8_E4M3, F8_E5M2, whole numbers and BOOL";
export const isReadable = ({ dtype }: StoredTensor): boolean => dtype !== undefined && READABLE.has(dtype);

/** @throws RetouchError CHECKPOINT_UNSUPPORTED naming the key and its type. */
export function assertReadable(name: string, key: string, tensor: StoredTensor): void {
  if (isReadable(tensor)) return;
  throw new RetouchError(
    "CHECKPOINT_UNSUPPORTED",
    `${name}: the weight ${key} is stored as ${tensor.storedType}; ${READABLE_TYPES} can be read.`,
  );
}

/** A weight whose rows lie in several byte ranges, or that is stored divided by a scale. */
export interface AssembledTensor {
  shape: readonly number[];
  /** In the order of the rows. */
  parts: readonly StoredTensor[];
  /** What the stored numbers are multiplied by: one number [], or factors of the rows, [rows, 1], in their order. */
  scale: readonly StoredTensor[] | undefined;
}

type Weight = StoredTensor | AssembledTensor | QuantizedTensor;

export interface WeightOptions {
  /** How matrices in few bits are multiplied: 1 in float32, 4 with 8-bit inputs. @default 4 */
  accuracyLevel?: BlockMatrix["accuracyLevel"] | undefined;
  /**
   * Whether 16-bit weights stay 16-bit in memory, as pages of their file, and are widened each time they are
   * multiplied. Otherwise the runtime widens all of them once, when it loads the network. @default false
   */
  isKeptHalf?: boolean | undefined;
}

/** Changes a graph's linear layers and norms, by their keys, as it is built. */
export interface LayerAdapter {
  /** What a linear layer reads in place of `x`. */
  input(key: string, x: Value): Value;
  /** What it gives for `x` in place of `y`. */
  output(key: string, x: Value, y: Value): Value;
  /** What a norm multiplies by in place of its weight. */
  norm(key: string, weight: Value): Value;
}

export class WeightSet {
  /** What a message calls this network: its folder. */
  readonly name: string;
  /** The folder that the locations of external data are relative to. */
  readonly baseFolder: string;
  readonly isKeptHalf: boolean;
  readonly #accuracyLevel: BlockMatrix["accuracyLevel"];
  readonly #tensors: ReadonlyMap<string, Weight>;
  readonly #used = new Set<string>();

  constructor(name: string, tensors: ReadonlyMap<string, Weight>, options: WeightOptions = {}) {
    const { accuracyLevel = 4, isKeptHalf = false } = options;
    this.name = name;
    this.isKeptHalf = isKeptHalf;
    this.#accuracyLevel = accuracyLevel;
    this.#tensors = tensors;
    this.baseFolder = commonFolder([...tensors.values()].flatMap(partsOf).map(({ file }) => file));
  }

  /** Tells these weights from others: their files, and how they are loaded. */
  get signature(): string {
    const files = new Set([...this.#tensors.values()].flatMap(partsOf).map(({ file }) => file));
    return JSON.stringify([...files, this.#tensors.size, this.isKeptHalf, this.#accuracyLevel]);
  }

  /** The same weights, with other options for loading them. */
  with(options: WeightOptions): WeightSet {
    return new WeightSet(this.name, this.#tensors, options);
  }

  /** Only the weights whose keys fit. */
  only(isRead: (key: string) => boolean): WeightSet {
    return new WeightSet(this.name, new Map([...this.#tensors].filter(([key]) => isRead(key))));
  }

  /** The keys under `prefix`; "" is the whole set. Each network has a scope of its own, and asks for a weight once. */
  scope(prefix = "", adapt?: LayerAdapter): WeightScope {
    return new StoredScope(this, prefix, adapt);
  }

  has(key: string): boolean {
    return this.#tensors.has(key);
  }

  hasBelow(prefix: string): boolean {
    return [...this.#tensors.keys()].some((key) => key.startsWith(`${prefix}.`));
  }

  /** The weights themselves, by key. */
  entries(): Iterable<[string, Weight]> {
    return this.#tensors.entries();
  }

  /**
   * A weight as float32.
   * @throws RetouchError CHECKPOINT_INVALID when the key is missing or has another shape, CHECKPOINT_UNSUPPORTED for a
   * type that cannot be read
   */
  take(key: string, shape: readonly number[]): Value {
    const stored = this.#find(key, shape);
    if ("blocks" in stored) {
      throw new RetouchError(
        "CHECKPOINT_UNSUPPORTED",
        `${this.name}: the weight ${key} is stored in ${stored.bits} bits; only matrices of linear layers can be.`,
      );
    }
    return this.#assemble(key, stored);
  }

  /** The matrix of a linear layer, as float32 or in its few bits. @throws as {@link take} */
  takeMatrix(key: string, shape: readonly [rows: number, columns: number]): Value | BlockMatrix {
    const stored = this.#find(key, shape);
    if (!("blocks" in stored)) return this.#assemble(key, stored);
    this.#used.add(key);
    const blocks = this.#external(key, stored.blocks);
    return {
      shape,
      bits: stored.bits,
      blockSize: stored.blockSize,
      blocks: blocks.dtype === "int8" ? unsignedBytes(blocks) : blocks,
      scales: this.#external(scalesKeyOf(key), stored.scales),
      accuracyLevel: this.#accuracyLevel,
    };
  }

  /** Rows of a table, as float32; other rows are not widened. @throws as {@link take} */
  takeRows(key: string, shape: readonly [rows: number, columns: number], indices: Value): Value {
    const stored = this.#find(key, shape);
    const [part, ...others] = partsOf(stored);
    if ("blocks" in stored || others.length > 0 || !isReadable(part!))
      return gather(this.take(key, shape), indices);
    this.#used.add(key);
    const rows = this.#rows(key, part!, indices);
    if (!("parts" in stored) || stored.scale === undefined) return rows;
    const scale = this.#joined(`${layerOf(key)}scale_weight`, stored.scale);
    return mul(rows, scale.shape.length === 0 ? scale : gather(scale, indices));
  }

  #rows(key: string, part: StoredTensor, indices: Value): Value {
    if (!FLOAT8.test(part.storedType)) return toFloat32(gather(this.#external(key, part), indices));
    return float8Rows(this.#external(key, { ...part, dtype: "uint8" }), part.dtype!, indices);
  }

  #find(key: string, shape: readonly number[]): Weight {
    const stored = this.#tensors.get(key);
    if (!stored) {
      throw new RetouchError(
        "CHECKPOINT_INVALID",
        `${this.name}: the weight ${key} ${showShape(shape)} is missing.`,
      );
    }
    if (showShape(stored.shape) !== showShape(shape)) {
      throw new RetouchError(
        "CHECKPOINT_INVALID",
        `${this.name}: the weight ${key} has the shape ${showShape(stored.shape)} where the configuration asks for ${showShape(shape)}.`,
      );
    }
    return stored;
  }

  #assemble(key: string, stored: StoredTensor | AssembledTensor): Value {
    const parts = partsOf(stored);
    for (const part of parts) assertReadable(this.name, key, part);
    this.#used.add(key);
    const value = this.#joined(key, parts);
    const scale = "parts" in stored ? stored.scale : undefined;
    return scale ? mul(value, this.#joined(`${layerOf(key)}scale_weight`, scale)) : value;
  }

  /** Parts that lie below each other, as float32. */
  #joined(name: string, parts: readonly StoredTensor[]): Value {
    const values = parts.map((part, index) =>
      toFloat32(this.#external(parts.length === 1 ? name : `${name}[${index}]`, part)),
    );
    return values.length === 1 ? values[0]! : concat(values, 0);
  }

  #external(name: string, { file, dtype, shape, byteOffset, byteLength }: StoredTensor): Value {
    const location = path.relative(this.baseFolder, file).split(path.sep).join("/");
    return externalTensor(name, dtype!, shape, { location, byteOffset, byteLength });
  }

  /** Marks a key as known but not needed, such as the second name of a shared table. */
  ignore(key: string): void {
    this.#used.add(key);
  }

  /**
   * The keys that no network requested, and that do not follow from the configuration. Like the reference, networks do
   * without them: a file may hold another network beside its own.
   * @throws RetouchError CHECKPOINT_UNSUPPORTED for keys that say how to undo a quantisation of the weights
   */
  unusedKeys(): string[] {
    const unused = [...this.#tensors.keys()].filter((key) => !this.#used.has(key) && !isDerived(key));
    const scale = unused.find((key) => QUANTISATION_KEYS.test(key));
    if (scale === undefined) return unused;
    throw new RetouchError(
      "CHECKPOINT_UNSUPPORTED",
      `${this.name}: ${scale} says that the weights are quantised in a way that is not read from a folder; take the weights in 16 or 32 bits, or a GGUF file.`,
    );
  }
}

/**
 * A prefix of keys, mirroring the module tree of the checkpoint. A network requests its weights from it as the graph
 * is built; a scope that only records these requests needs no files (`models/count.ts`).
 */
export interface WeightScope {
  child(...names: readonly (string | number)[]): WeightScope;
  /** The input of this scope's linear layer, adapted if the graph takes adapters. */
  adaptedInput(x: Value): Value;
  /** The output of this scope's linear layer for `x`, adapted if the graph takes adapters. */
  adapted(x: Value, y: Value): Value;
  /** The weight of this scope's norm, adapted if the graph takes adapters. */
  adaptedNorm(weight: Value): Value;
  /** The matrix `name` of a linear layer, as float32 or in its few bits. */
  matrix(name: string, shape: readonly [rows: number, columns: number]): Value | BlockMatrix;
  /** Rows of the table `name`, as float32: [...indices, C]. */
  rows(name: string, shape: readonly [rows: number, columns: number], indices: Value): Value;
  /** The tensor `name` of this scope, as float32. */
  tensor(name: string, shape: readonly number[]): Value;
  has(name: string): boolean;
  /** Whether `child(name)` has any weights. */
  hasChild(name: string): boolean;
  /** Marks a key as known but not needed, such as the second name of a shared table. */
  ignore(name: string): void;
}

class StoredScope implements WeightScope {
  readonly #set: WeightSet;
  readonly #prefix: string;
  readonly #adapt: LayerAdapter | undefined;
  /** What this network has asked for. */
  readonly #taken: Set<string>;

  constructor(set: WeightSet, prefix: string, adapt?: LayerAdapter, taken = new Set<string>()) {
    this.#set = set;
    this.#prefix = prefix;
    this.#adapt = adapt;
    this.#taken = taken;
  }

  child(...names: readonly (string | number)[]): WeightScope {
    return new StoredScope(this.#set, this.#key(names.join(".")), this.#adapt, this.#taken);
  }

  adaptedInput(x: Value): Value {
    return this.#adapt?.input(this.#prefix, x) ?? x;
  }

  adapted(x: Value, y: Value): Value {
    return this.#adapt?.output(this.#prefix, x, y) ?? y;
  }

  adaptedNorm(weight: Value): Value {
    return this.#adapt?.norm(this.#prefix, weight) ?? weight;
  }

  matrix(name: string, shape: readonly [rows: number, columns: number]): Value | BlockMatrix {
    return this.#set.takeMatrix(this.#once(name), shape);
  }

  rows(name: string, shape: readonly [rows: number, columns: number], indices: Value): Value {
    return this.#set.takeRows(this.#once(name), shape, indices);
  }

  tensor(name: string, shape: readonly number[]): Value {
    return this.#set.take(this.#once(name), shape);
  }

  has(name: string): boolean {
    return this.#set.has(this.#key(name));
  }

  hasChild(name: string): boolean {
    return this.#set.hasBelow(this.#key(name));
  }

  ignore(name: string): void {
    this.#set.ignore(this.#key(name));
  }

  /** The key of a weight, which a network uses in one place. */
  #once(name: string): string {
    const key = this.#key(name);
    if (this.#taken.has(key)) throw new Error(`${this.#set.name}: the weight ${key} is used twice.`);
    this.#taken.add(key);
    return key;
  }

  #key(name: string): string {
    return this.#prefix === "" ? name : `${this.#prefix}.${name}`;
  }
}

/** The beginning of the keys of a weight's layer. */
const layerOf = (key: string): string => key.slice(0, key.lastIndexOf(".") + 1);

/** The name of the scales of a matrix in few bits, in a file and in a graph. */
export const scalesKeyOf = (key: string): string => `${key}.scales`;

function partsOf(stored: Weight): readonly StoredTensor[] {
  if ("blocks" in stored) return [stored.blocks, stored.scales];
  return "parts" in stored ? stored.parts : [stored];
}

function commonFolder(files: readonly string[]): string {
  let folder = path.dirname(files[0] ?? path.sep);
  for (const file of files) {
    while (path.relative(folder, file).startsWith("..")) folder = path.dirname(folder);
  }
  return folder;
}
