/**
 * Reads the header of a `.safetensors` file: an 8-byte little-endian length, then JSON that gives each tensor's
 * type, shape and byte range (https://huggingface.co/docs/safetensors). Tensor data is never read here.
 */
import type { FileHandle } from "node:fs/promises";
import { MAX_DIMENSIONS, MAX_KEY_CHARACTERS, MAX_TENSORS } from "./limits.ts";
import { damaged, withWeightsFile } from "./open-weights.ts";
import { byteSizeOf, type DType, dtypeFromSafetensors } from "../onnx/dtype.ts";

/** Where one stored tensor lies. */
export interface StoredTensor {
  file: string;
  /** Undefined for an element type that no network here can use. */
  dtype: DType | undefined;
  storedType: string;
  shape: readonly number[];
  /** From the start of the file. */
  byteOffset: number;
  byteLength: number;
}

/** The contents of a file's header. */
export interface SafetensorsHeader {
  tensors: Map<string, StoredTensor>;
  /** The strings under `__metadata__`; empty if there are none. */
  metadata: ReadonlyMap<string, string>;
}

/** The longest name of an element type, in characters. */
const MAX_TYPE_CHARACTERS = 32;
/** The format's own limit, which keeps a corrupt length from asking for gigabytes. */
const MAX_HEADER_BYTES = 100_000_000;

/**
 * Reads where every tensor of `file` lies.
 * @throws RetouchError CHECKPOINT_MISSING, or CHECKPOINT_INVALID for a truncated or inconsistent file.
 */
export async function readSafetensorsHeader(file: string): Promise<Map<string, StoredTensor>> {
  return (await readSafetensors(file)).tensors;
}

/** The same, with the metadata. @throws as {@link readSafetensorsHeader} */
export async function readSafetensors(file: string): Promise<SafetensorsHeader> {
  return withWeightsFile(file, async (handle, size) => {
    const lengthBytes = await readExactly(file, handle, 0, 8, size);
    const headerLength = Number(lengthBytes.readBigUInt64LE());
    if (headerLength > MAX_HEADER_BYTES || headerLength + 8 > size) {
      throw damaged(file, `its header claims ${headerLength} bytes and the file has ${size}`);
    }
    const header = await readExactly(file, handle, 8, headerLength, size);
    return parseHeader(file, header.toString("utf8"), headerLength + 8, size);
  });
}

/**
 * The same for a file that is in memory as a whole.
 * @param name what errors call it
 * @throws RetouchError CHECKPOINT_INVALID
 */
export function parseSafetensors(name: string, bytes: Uint8Array): SafetensorsHeader {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (file.length < 8) throw damaged(name, `it ends after ${file.length} bytes, inside the header`);
  const headerLength = Number(file.readBigUInt64LE());
  if (headerLength > MAX_HEADER_BYTES || headerLength + 8 > file.length) {
    throw damaged(name, `its header claims ${headerLength} bytes and the file has ${file.length}`);
  }
  return parseHeader(name, file.toString("utf8", 8, 8 + headerLength), headerLength + 8, file.length);
}

async function readExactly(file: string, handle: FileHandle, from: number, length: number, size: number) {
  const buffer = Buffer.alloc(length);
  const { bytesRead } = await handle.read(buffer, 0, length, from);
  if (bytesRead !== length) throw damaged(file, `it ends after ${size} bytes, inside the header`);
  return buffer;
}

function parseHeader(file: string, json: string, dataStart: number, fileSize: number): SafetensorsHeader {
  let header: unknown;
  try {
    header = JSON.parse(json);
  } catch (cause) {
    throw damaged(file, "its header is not JSON", cause);
  }
  if (typeof header !== "object" || header === null || Array.isArray(header)) {
    throw damaged(file, "its header is not a JSON object");
  }
  const { __metadata__: metadata, ...entries } = header as Record<string, unknown>;
  const tensors = new Map<string, StoredTensor>();
  const all = Object.entries(entries);
  if (all.length > MAX_TENSORS) {
    throw damaged(file, `its header lists ${all.length} tensors, and a file has at most ${MAX_TENSORS}`);
  }
  for (const [key, entry] of all) {
    if (key.length > MAX_KEY_CHARACTERS) {
      throw damaged(
        file,
        `its header has a name of ${key.length} characters, where ${MAX_KEY_CHARACTERS} are the most`,
      );
    }
    if (!isHeaderEntry(entry)) throw damaged(file, `the header's entry ${key} is malformed`);
    const [start, end] = entry.data_offsets;
    const dtype = dtypeFromSafetensors(entry.dtype);
    const count = entry.shape.reduce((product, dim) => product * dim, 1);
    if (end < start || (dtype && end - start !== count * byteSizeOf(dtype))) {
      throw damaged(
        file,
        `${key} has ${end - start} bytes, which do not fit ${entry.dtype} [${entry.shape.join(", ")}]`,
      );
    }
    if (dataStart + end > fileSize) {
      throw damaged(file, `${key} should end at byte ${dataStart + end} and the file has ${fileSize}`);
    }
    tensors.set(key, {
      file,
      dtype,
      storedType: entry.dtype,
      shape: entry.shape,
      byteOffset: dataStart + start,
      byteLength: end - start,
    });
  }
  assertContiguous(file, tensors, dataStart, fileSize);
  const texts = Object.entries(metadata ?? {}).filter(([, value]) => typeof value === "string");
  return { tensors, metadata: new Map(texts as [string, string][]) };
}

/** As the format has it, the tensors fill all of the data, one after the other: nothing else can hide in a file. */
function assertContiguous(
  file: string,
  tensors: ReadonlyMap<string, StoredTensor>,
  dataStart: number,
  fileSize: number,
): void {
  const inOrder = [...tensors].toSorted(
    ([, a], [, b]) => a.byteOffset - b.byteOffset || a.byteLength - b.byteLength,
  );
  let end = dataStart;
  for (const [key, { byteOffset, byteLength }] of inOrder) {
    if (byteOffset !== end) {
      throw damaged(
        file,
        `${key} begins at byte ${byteOffset}, and the tensor before it ends at byte ${end}`,
      );
    }
    end += byteLength;
  }
  if (end !== fileSize) {
    throw damaged(file, `its tensors end at byte ${end} and the file has ${fileSize}`);
  }
}

interface HeaderEntry {
  dtype: string;
  shape: number[];
  data_offsets: [number, number];
}

function isHeaderEntry(value: unknown): value is HeaderEntry {
  if (typeof value !== "object" || value === null) return false;
  const { dtype, shape, data_offsets: offsets } = value as Partial<Record<keyof HeaderEntry, unknown>>;
  const isCount = (item: unknown): boolean => Number.isSafeInteger(item) && (item as number) >= 0;
  return (
    typeof dtype === "string" &&
    dtype.length <= MAX_TYPE_CHARACTERS &&
    Array.isArray(shape) &&
    shape.length <= MAX_DIMENSIONS &&
    shape.every(isCount) &&
    Array.isArray(offsets) &&
    offsets.length === 2 &&
    offsets.every(isCount)
  );
}
