/**
 * Writes a network's weights into a file of ours, some rows at a time: memory does not grow with the network. The file
 * is written beside its place and renamed when it is whole; its header comes last, so that half a file is none.
 */
import { createHash, type Hash, randomUUID } from "node:crypto";
import { type FileHandle, mkdir, open, readdir, rename, rm, stat, statfs } from "node:fs/promises";
import path from "node:path";
import { messageOf, RetouchError } from "../errors.ts";
import { byteSizeOf, type DType, safetensorsNameOf } from "../onnx/dtype.ts";
import {
  CONVERTED_VERSION,
  type ConvertedMetadata,
  type MatrixEntry,
  type WeightKind,
} from "../weights/converted.ts";
import { blocksPerRow, bytesPerBlock } from "../weights/quantized.ts";
import { scalesKeyOf } from "../weights/weight-set.ts";
import type { SourceWeight, WeightSource } from "../weights/weight-source.ts";
import { dequantizeRows, quantizeRows } from "./blocks.ts";
import { formatOf, type WeightFormat } from "./formats.ts";
import { bfloat16FromBits, float16FromBits } from "../weights/float-bits.ts";
import { mapped } from "../weights/widened.ts";
import { toBfloat16, toFloat16 } from "./half.ts";

export interface QuantizeOptions {
  /** Called after every part of a weight, with the share of the numbers that are written. */
  onProgress?: ((progress: { done: number; of: number }) => void) | undefined;
  signal?: AbortSignal | undefined;
  /** Bytes that a folder's file system has left. @default what the system says */
  freeBytes?: ((folder: string) => Promise<number>) | undefined;
}

export interface Quantized {
  /** Of the numbers of the source: SHA-256, in hexadecimal. */
  source: string;
  byteLength: number;
  /** Of every weight that was rounded: the root mean square of the error by that of the weight. */
  errors: { key: string; format: WeightFormat; relativeError: number }[];
}

/** Numbers that are held at once. */
const CHUNK = 1 << 20;
const ALIGNMENT = 64;
const HASH_LENGTH = 64;
const PARTIAL = /\.[0-9a-f-]{36}\.partial$/;
/** A conversion that runs writes many times a second. */
const STALE_MS = 60_000;

/** A tensor of the file. */
interface Place {
  dtype: DType;
  shape: readonly number[];
  byteOffset: number;
}

interface PlannedWeight {
  weight: SourceWeight;
  rowCount: number;
  rowSize: number;
  format: WeightFormat;
  place: Place;
  /** Of a matrix in few bits. */
  scales: Place | undefined;
}

/**
 * Converts `source` into `file`, whose folder is made where it is missing.
 * @throws RetouchError OUTPUT_UNWRITABLE, ABORTED, or CHECKPOINT_UNSUPPORTED for numbers that the kind cannot hold
 */
export async function quantize(
  source: WeightSource,
  kind: WeightKind,
  file: string,
  { onProgress, signal, freeBytes = freeBytesOf }: QuantizeOptions = {},
): Promise<Quantized> {
  const weights = [...source.weights()].map((weight) => planned(weight, kind));
  const dataLength = place(weights);
  const header = (hash: string): Uint8Array => headerOf(weights, kind, hash);
  const dataStart = header("0".repeat(HASH_LENGTH)).length;
  const byteLength = dataStart + dataLength;
  const partial = `${file}.${randomUUID()}.partial`;
  try {
    await mkdir(path.dirname(file), { recursive: true });
    await removeLeftovers(file);
    const free = await freeBytes(path.dirname(file));
    if (free < byteLength) {
      throw new RetouchError(
        "OUTPUT_UNWRITABLE",
        `The weights file ${file} needs ${megabytes(byteLength)}, and ${megabytes(free)} are free there.`,
      );
    }
    const handle = await open(partial, "wx");
    const hash = createHash("sha256");
    const errors: Quantized["errors"] = [];
    try {
      const of = weights.reduce((sum, { rowCount, rowSize }) => sum + rowCount * rowSize, 0);
      let done = 0;
      for (const weight of weights) {
        const error = await writeWeight(source.name, weight, handle, dataStart, hash, (count) => {
          throwIfAborted(signal);
          done += count;
          onProgress?.({ done, of });
        });
        if (error !== undefined)
          errors.push({ key: weight.weight.key, format: weight.format, relativeError: error });
      }
      const digest = hash.digest("hex");
      await writeAt(handle, header(digest), 0);
      // Without it a crash after the rename may leave a file of zeros under the final name.
      await handle.sync();
      await handle.close();
      await rename(partial, file);
      return { source: digest, byteLength, errors };
    } finally {
      await handle.close();
      await rm(partial, { force: true });
    }
  } catch (error) {
    if (error instanceof RetouchError) throw error;
    if (!(error instanceof Error && "syscall" in error)) throw error;
    throw new RetouchError(
      "OUTPUT_UNWRITABLE",
      `The weights file ${file} cannot be written: ${messageOf(error)}.`,
      { cause: error },
    );
  }
}

function planned(weight: SourceWeight, kind: WeightKind): PlannedWeight {
  const { key, shape, blocks } = weight;
  const format = formatOf(key, shape, kind, blocks);
  const rowCount = shape[0] ?? 1;
  const rowSize = shape.slice(1).reduce((product, dim) => product * dim, 1);
  if (typeof format === "string") {
    return {
      weight,
      rowCount,
      rowSize,
      format,
      place: { dtype: format, shape, byteOffset: 0 },
      scales: undefined,
    };
  }
  const count = blocksPerRow(rowSize, format);
  const place: Place = { dtype: "uint8", shape: [rowCount, count, bytesPerBlock(format)], byteOffset: 0 };
  return {
    weight,
    rowCount,
    rowSize,
    format,
    place,
    scales: { dtype: "float32", shape: [rowCount, count], byteOffset: 0 },
  };
}

const bytesOf = ({ dtype, shape }: Place): number =>
  shape.reduce((product, dim) => product * dim, byteSizeOf(dtype));

/** The tensors of the file, by key. */
const placesOf = ({ weight, place, scales }: PlannedWeight): [string, Place][] => [
  [weight.key, place],
  ...(scales ? [[scalesKeyOf(weight.key), scales] as [string, Place]] : []),
];

/** Gives every tensor its place: no gaps, and large elements first, so that each begins at a multiple of its size. */
function place(weights: readonly PlannedWeight[]): number {
  let offset = 0;
  const places = weights.flatMap(placesOf).map(([, found]) => found);
  for (const found of places.toSorted((a, b) => byteSizeOf(b.dtype) - byteSizeOf(a.dtype))) {
    found.byteOffset = offset;
    offset += bytesOf(found);
  }
  return offset;
}

/** The length and the JSON, filled up to a multiple of 64 bytes. */
function headerOf(weights: readonly PlannedWeight[], kind: WeightKind, source: string): Uint8Array {
  const matrices: Record<string, MatrixEntry> = {};
  for (const { weight, format, rowSize } of weights) {
    if (typeof format !== "string") matrices[weight.key] = { ...format, columns: rowSize };
  }
  const metadata: ConvertedMetadata = {
    retouch_weights: CONVERTED_VERSION,
    kind,
    source,
    matrices: JSON.stringify(matrices),
  };
  const entries = weights.flatMap(placesOf).map(([key, found]) => {
    const { dtype, shape, byteOffset } = found;
    const data_offsets = [byteOffset, byteOffset + bytesOf(found)];
    return [key, { dtype: safetensorsNameOf(dtype), shape, data_offsets }];
  });
  const json = JSON.stringify({ __metadata__: metadata, ...Object.fromEntries(entries) });
  const length = Math.ceil((8 + Buffer.byteLength(json)) / ALIGNMENT) * ALIGNMENT;
  const header = Buffer.alloc(length, " ");
  header.writeBigUInt64LE(BigInt(length - 8));
  header.write(json, 8);
  return header;
}

/** Writes a weight's rows where they belong. @returns how much they were changed, where they were rounded */
async function writeWeight(
  name: string,
  { weight, rowCount, rowSize, format, place: own, scales: ownScales }: PlannedWeight,
  handle: FileHandle,
  dataStart: number,
  hash: Hash,
  onWritten: (count: number) => void,
): Promise<number | undefined> {
  const { key, shape, blocks: ready } = weight;
  hash.update(JSON.stringify([key, shape]));
  const step = Math.max(1, Math.floor(CHUNK / rowSize));
  let [error, total] = [0, 0];
  for (let from = 0; from < rowCount; from += step) {
    const to = Math.min(from + step, rowCount);
    const values = await weight.rows(from, to);
    hash.update(bytesView(values));
    const writeRows = (to: Place, data: ArrayBufferView): Promise<void> =>
      writeAt(handle, bytesView(data), dataStart + to.byteOffset + (bytesOf(to) / rowCount) * from);
    let stored: Float32Array = values;
    if (typeof format !== "string") {
      const isReady = ready?.bits === format.bits && ready.blockSize === format.blockSize;
      const rows = isReady ? await ready.read(from, to) : quantizeRows(values, rowSize, format);
      await writeRows(own, rows.blocks);
      await writeRows(ownScales!, rows.scales);
      stored = dequantizeRows(rows, rowSize, format);
    } else if (format === "float32") {
      await writeRows(own, values);
    } else {
      const [narrow, widen] =
        format === "float16" ? [toFloat16, float16FromBits] : [toBfloat16, bfloat16FromBits];
      const halves = mapped(values, Uint16Array, narrow);
      await writeRows(own, halves);
      stored = mapped(halves, Float32Array, widen);
      const lost = values.find((value, index) => Number.isFinite(value) && !Number.isFinite(stored[index]));
      if (lost !== undefined) {
        throw new RetouchError(
          "CHECKPOINT_UNSUPPORTED",
          `${name}: the weight ${key} holds ${lost}, which is too large for ${format}.`,
        );
      }
    }
    for (let index = 0; index < values.length; index += 1) {
      error += (values[index]! - stored[index]!) ** 2;
      total += values[index]! ** 2;
    }
    onWritten(values.length);
  }
  if (format === "float32") return undefined;
  return total === 0 ? 0 : Math.sqrt(error / total);
}

const bytesView = ({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);

async function writeAt(handle: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    const { bytesWritten } = await handle.write(bytes, done, bytes.length - done, position + done);
    done += bytesWritten;
  }
}

function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new RetouchError("ABORTED", "The conversion of the weights was interrupted.");
}

/** Removes what conversions into the same file left behind that did not end by themselves: nothing writes there. */
async function removeLeftovers(file: string): Promise<void> {
  const folder = path.dirname(file);
  const names = (await readdir(folder)).filter((name) => name.startsWith(`${path.basename(file)}.`));
  for (const leftover of names.filter((name) => PARTIAL.test(name)).map((name) => path.join(folder, name))) {
    const written = await stat(leftover).catch(() => undefined);
    if (written && Date.now() - written.mtimeMs > STALE_MS) await rm(leftover, { force: true });
  }
}

async function freeBytesOf(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize;
}

const megabytes = (bytes: number): string => `${Math.ceil(bytes / 1e6)} MB`;
