/**
 * A weight file in our own format: a `.safetensors` with a network's own keys, in which a matrix may be in few bits.
 * Its metadata identifies it and states its kind, what it was converted from, its errors, and which tensors are
 * blocks: uint8 `X.weight` [N, blocks, bytes] (int8 where a row has one scale) with float32 `X.weight.scales` [N, blocks].
 */
import { RetouchError } from "../errors.ts";
import { showShape } from "../onnx/graph.ts";
import {
  type BlockFormat,
  blocksPerRow,
  bytesPerBlock,
  type QuantizedTensor,
  storedTypeOf,
} from "./quantized.ts";
import { readSafetensors, type StoredTensor } from "./safetensors.ts";
import { scalesKeyOf, type WeightOptions, WeightSet } from "./weight-set.ts";

/** Incremented with every change that an older program would misread. */
export const CONVERTED_VERSION = "1";
export const WEIGHT_KINDS = ["fp16", "bf16", "int8", "int4"] as const;
/** What weights can be rounded to. */
export type WeightKind = (typeof WEIGHT_KINDS)[number];
const CONVERTED_KINDS = ["fp32", ...WEIGHT_KINDS] as const;
/** What most of a converted file's weights are stored as. */
export type ConvertedKind = (typeof CONVERTED_KINDS)[number];

/** The metadata fields, each a string. */
export interface ConvertedMetadata {
  retouch_weights: string;
  kind: ConvertedKind;
  /** The source's hash. */
  source: string;
  /** JSON: the format and the columns of each matrix in few bits, by its key. */
  matrices: string;
  /** JSON: the relative error of each weight that was rounded, by its key. */
  errors: string;
}

/** The entry of a matrix in `matrices`. */
export interface MatrixEntry extends BlockFormat {
  columns: number;
}

/** The error of a weight. */
export interface WeightError {
  key: string;
  /** The root mean square of the error divided by that of the weight. */
  relativeError: number;
}

export interface Converted {
  kind: ConvertedKind;
  source: string;
  /** The error of every weight that was rounded, to four digits. */
  errors: WeightError[];
  weights: WeightSet;
}

/**
 * Reads the header of a converted file.
 * @param name what a message calls the network
 * @throws RetouchError CHECKPOINT_MISSING, CHECKPOINT_INVALID for a damaged file or CHECKPOINT_UNSUPPORTED for one of
 * another version
 */
export async function readConverted(
  name: string,
  file: string,
  options: WeightOptions = {},
): Promise<Converted> {
  const { tensors, metadata } = await readSafetensors(file);
  const version = metadata.get("retouch_weights" satisfies keyof ConvertedMetadata);
  if (version !== CONVERTED_VERSION) {
    const what =
      version === undefined ? "was not written by retouch quantize" : `is of the version ${version}`;
    throw new RetouchError(
      "CHECKPOINT_UNSUPPORTED",
      `The weights file ${file} ${what}; version ${CONVERTED_VERSION} can be read.`,
    );
  }
  const kind = CONVERTED_KINDS.find((known) => known === metadata.get("kind"));
  const source = metadata.get("source");
  if (kind === undefined || source === undefined) {
    throw damaged(file, "its metadata has no kind or no source");
  }
  const weights = new Map<string, StoredTensor | QuantizedTensor>(tensors);
  for (const [key, entry] of matrixEntries(file, metadata.get("matrices"))) {
    weights.set(key, quantizedTensor(file, key, entry, tensors));
    weights.delete(scalesKeyOf(key));
  }
  const errors = errorEntries(file, metadata.get("errors"));
  return { kind, source, errors, weights: new WeightSet(name, weights, options) };
}

function errorEntries(file: string, json: string | undefined): WeightError[] {
  return listEntries(file, "errors", json).map(([key, relativeError]) => {
    if (!isRelativeError(relativeError)) throw damaged(file, `the error of ${key} is malformed`);
    return { key, relativeError };
  });
}

const isRelativeError = (value: unknown): value is number => typeof value === "number" && value >= 0;

function matrixEntries(file: string, json: string | undefined): [string, MatrixEntry][] {
  return listEntries(file, "matrices", json).map(([key, entry]) => {
    if (!isMatrixEntry(entry)) throw damaged(file, `the format of ${key} is malformed`);
    return [key, entry];
  });
}

function listEntries(file: string, name: string, json: string | undefined): [string, unknown][] {
  let entries: unknown;
  try {
    entries = JSON.parse(json ?? "");
  } catch (cause) {
    throw damaged(file, `its list of ${name} is not JSON`, cause);
  }
  if (typeof entries !== "object" || entries === null) {
    throw damaged(file, `its list of ${name} is no object`);
  }
  return Object.entries(entries);
}

function isMatrixEntry(value: unknown): value is MatrixEntry {
  const entry = (value ?? {}) as Partial<Record<keyof MatrixEntry, unknown>>;
  const { bits, blockSize, columns, isRowScaled } = entry;
  return (
    (bits === 4 || bits === 8) &&
    (blockSize === 32 || blockSize === 128) &&
    (isRowScaled === undefined || typeof isRowScaled === "boolean") &&
    Number.isSafeInteger(columns) &&
    (columns as number) > 0
  );
}

function quantizedTensor(
  file: string,
  key: string,
  { bits, blockSize, columns, isRowScaled }: MatrixEntry,
  tensors: ReadonlyMap<string, StoredTensor>,
): QuantizedTensor {
  const format = { bits, blockSize, ...(isRowScaled && { isRowScaled }) };
  const [blocks, scales] = [tensors.get(key), tensors.get(scalesKeyOf(key))];
  const rows = blocks?.shape[0] ?? 0;
  const count = blocksPerRow(columns, format);
  const isFitting =
    blocks?.dtype === storedTypeOf(format) &&
    scales?.dtype === "float32" &&
    showShape(blocks.shape) === showShape([rows, count, bytesPerBlock(format)]) &&
    showShape(scales.shape) === showShape([rows, count]);
  if (!isFitting) {
    throw damaged(file, `blocks and scales of ${key} do not fit ${bits} bits of ${columns} columns`);
  }
  return { ...format, shape: [rows, columns], blocks, scales };
}

function damaged(file: string, detail: string, cause?: unknown): RetouchError {
  return new RetouchError("CHECKPOINT_INVALID", `The weights file ${file} is damaged: ${detail}.`, { cause });
}
