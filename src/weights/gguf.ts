/**
 * Reads the header of a `.gguf` file (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md) with
 * `@huggingface/gguf`. The package bounds counts, strings and its own memory, but reads zeros past the end of a file
 * and trusts tensor offsets; those two are checked here. Tensor data is never read.
 */
import path from "node:path";
import type { GGUFParseOutput } from "@huggingface/gguf";
import { RetouchError } from "../errors.ts";
import { showShape } from "../onnx/graph.ts";
import { ggufTypeOf, type GgufType } from "./gguf-types.ts";
import { MAX_DIMENSIONS, MAX_KEY_CHARACTERS, MAX_TENSORS } from "./limits.ts";
import { damaged, withWeightsFile } from "./open-weights.ts";
import { elements, type FileTensor } from "./tensor-file.ts";

export interface GgufTensor extends FileTensor {
  /** Undefined for an element type that cannot be read; its length is then unknown. */
  type: GgufType | undefined;
  /** From the start of the file. */
  byteOffset: number;
  byteLength: number;
}

/** The setting that ComfyUI-GGUF's converter writes for a tensor whose shape it changes; rows first. */
const SHAPE_SETTING = "comfy.gguf.orig_shape.";
/** Magic, version, and the numbers of tensors and settings. */
const START_BYTES = 24;
const VERSIONS = [2, 3];
/** A tensor has at least the length of its name, a count of dimensions, a type and an offset. */
const MIN_TENSOR_BYTES = 24;

/**
 * Reads where every tensor of `file` lies. Shapes are in PyTorch's order, rows first.
 * @throws RetouchError CHECKPOINT_MISSING, CHECKPOINT_INVALID or CHECKPOINT_UNSUPPORTED, naming the file
 */
export async function readGgufHeader(file: string): Promise<Map<string, GgufTensor>> {
  const size = await checkStart(file);
  const header = await parse(file);
  const [, headerEnd] = header.tensorInfoByteRange;
  if (headerEnd > size) throw damaged(file, `it ends after ${size} bytes, inside the header`);
  const dataStart = Number(header.tensorDataOffset);
  const settings: Record<string, unknown> = { ...header.metadata };
  const alignment = Number(settings["general.alignment"] ?? 32);
  if (!Number.isInteger(Math.log2(alignment)) || dataStart < headerEnd) {
    throw damaged(file, `its tensors are aligned to ${alignment} bytes, which is no power of two in use`);
  }

  const tensors = new Map<string, GgufTensor>();
  for (const { name, shape: dims, dtype: code, offset } of header.tensorInfos) {
    if (name.length > MAX_KEY_CHARACTERS || dims.length > MAX_DIMENSIONS) {
      throw damaged(file, `${name.slice(0, 50)}... is no tensor of a network`);
    }
    if (tensors.has(name)) throw damaged(file, `it has ${name} twice`);
    // ggml lists dimensions from the innermost.
    const stored = dims.map(Number).toReversed();
    const type = ggufTypeOf(code);
    const storedType = type?.name ?? `type ${code}`;
    if (type && (stored.at(-1) ?? 1) % type.blockSize !== 0) {
      throw damaged(
        file,
        `${name} ${showShape(stored)} is ${storedType}, whose blocks have ${type.blockSize} numbers`,
      );
    }
    const shape = shapeOf(file, name, stored, settings[`${SHAPE_SETTING}${name}`]);
    const byteOffset = dataStart + Number(offset);
    const byteLength = type ? (elements(shape) / type.blockSize) * type.blockBytes : 0;
    if (byteOffset + byteLength > size) {
      throw damaged(file, `${name} should end at byte ${byteOffset + byteLength} and the file has ${size}`);
    }
    tensors.set(name, { type, storedType, shape, byteOffset, byteLength });
  }
  checkApart(file, tensors);
  return tensors;
}

/** The shape of a tensor. @param setting the shape that it had before it was reshaped to rows of whole blocks, if any */
function shapeOf(file: string, name: string, stored: number[], setting: unknown): number[] {
  if (setting === undefined) return stored;
  const shape = Array.isArray(setting) ? setting.map(Number) : [];
  const isShape =
    shape.length <= MAX_DIMENSIONS && shape.every((dim) => Number.isSafeInteger(dim) && dim > 0);
  if (!isShape || elements(shape) !== elements(stored)) {
    throw damaged(file, `${SHAPE_SETTING}${name} does not fit the tensor's shape ${showShape(stored)}`);
  }
  return shape;
}

/** Refuses files that are not GGUF, and counts that the file's size rules out. Returns the size. */
function checkStart(file: string): Promise<number> {
  return withWeightsFile(file, async (handle, size) => {
    const start = Buffer.alloc(START_BYTES);
    const { bytesRead } = await handle.read(start, 0, START_BYTES, 0);
    if (bytesRead !== START_BYTES || start.toString("latin1", 0, 4) !== "GGUF") {
      throw damaged(file, "it does not begin as a GGUF file does");
    }
    const version = start.readUInt32LE(4);
    if (!VERSIONS.includes(version)) {
      throw new RetouchError(
        "CHECKPOINT_UNSUPPORTED",
        `The weights file ${file} is GGUF version ${version}; versions ${VERSIONS.join(" and ")}, little-endian, can be read.`,
      );
    }
    const count = start.readBigUInt64LE(8);
    if (count > MAX_TENSORS || Number(count) * MIN_TENSOR_BYTES > size) {
      throw damaged(file, `its header claims ${count} tensors and the file has ${size} bytes`);
    }
    return size;
  });
}

async function parse(file: string): Promise<GGUFParseOutput> {
  const { gguf } = await import("@huggingface/gguf");
  // Absolute, since the package treats anything that looks like a URL as one.
  return gguf(path.resolve(file), { allowLocalFile: true }).catch((cause: unknown) => {
    throw damaged(file, "its header cannot be read", cause);
  });
}

/** Refuses tensors that overlap: two weights of one network cannot share bytes. */
function checkApart(file: string, tensors: ReadonlyMap<string, GgufTensor>): void {
  const inOrder = [...tensors].toSorted(([, a], [, b]) => a.byteOffset - b.byteOffset);
  for (const [index, [name, { byteOffset }]] of inOrder.entries()) {
    const [before, { byteOffset: start, byteLength }] = inOrder[index - 1] ?? [
      name,
      { byteOffset, byteLength: 0 },
    ];
    if (start + byteLength > byteOffset) throw damaged(file, `${name} begins inside ${before}`);
  }
}
