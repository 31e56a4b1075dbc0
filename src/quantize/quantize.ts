/**
 * Writes a network's weights into a file of ours, some rows at a time: memory does not grow with the network. The file
 * is written beside its place and renamed when it is whole; its header comes last, so that half a file is none.
 */
import { randomUUID } from "node:crypto";
import { type FileHandle, mkdir, open, readdir, rename, rm, stat, statfs } from "node:fs/promises";
import path from "node:path";
import { messageOf, RetouchError } from "../errors.ts";
import { bfloat16FromBits, float16FromBits } from "../weights/float-bits.ts";
import type { WeightError, WeightKind } from "../weights/converted.ts";
import { mapped } from "../weights/widened.ts";
import type { WeightSource } from "../weights/weight-source.ts";
import { dequantizeRows, quantizeRows } from "./blocks.ts";
import type { WeightFormat } from "./formats.ts";
import { toBfloat16, toFloat16 } from "./half.ts";
import { bytesOf, FileLayout, type Place, type PlannedWeight } from "./layout.ts";

export interface QuantizeOptions {
  /** Of what the source was made of: SHA-256, in hexadecimal. The file says it. */
  hash: string;
  /** Called after every part of a weight, with the share of the numbers that are written. */
  onProgress?: ((progress: { done: number; of: number }) => void) | undefined;
  signal?: AbortSignal | undefined;
  /** Bytes that a folder's file system has left. @default what the system says */
  freeBytes?: ((folder: string) => Promise<number>) | undefined;
}

export interface Quantized {
  byteLength: number;
  /** Of every weight that was rounded. */
  errors: (WeightError & { format: WeightFormat })[];
}

/** Numbers that are held at once. */
const CHUNK = 1 << 20;
const PARTIAL = /\.[0-9a-f-]{36}\.partial$/;
/** A conversion that runs writes many times a second. */
const STALE_MS = 60_000;

/**
 * Converts `source` into `file`, whose folder is made where it is missing.
 * @throws RetouchError OUTPUT_UNWRITABLE, ABORTED, or CHECKPOINT_UNSUPPORTED for numbers that the kind cannot hold
 */
export async function quantize(
  source: WeightSource,
  kind: WeightKind,
  file: string,
  { hash, onProgress, signal, freeBytes = freeBytesOf }: QuantizeOptions,
): Promise<Quantized> {
  const layout = new FileLayout(source.weights(), kind, hash);
  const { weights, headerLength: dataStart, byteLength } = layout;
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
    const errors: Quantized["errors"] = [];
    try {
      const of = weights.reduce((sum, { rowCount, rowSize }) => sum + rowCount * rowSize, 0);
      let done = 0;
      for (const weight of weights) {
        const error = await writeWeight(source.name, weight, handle, dataStart, (count) => {
          throwIfAborted(signal);
          done += count;
          onProgress?.({ done, of });
        });
        if (error !== undefined)
          errors.push({ key: weight.weight.key, format: weight.format, relativeError: error });
      }
      await writeAt(handle, layout.header(errors), 0);
      // Without it a crash after the rename may leave a file of zeros under the final name.
      await handle.sync();
      await handle.close();
      await rename(partial, file);
      return { byteLength, errors };
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

/** Writes a weight's rows where they belong. @returns how much they were changed, where they were rounded */
async function writeWeight(
  name: string,
  { weight, rowCount, rowSize, format, place: own, scales: ownScales }: PlannedWeight,
  handle: FileHandle,
  dataStart: number,
  onWritten: (count: number) => void,
): Promise<number | undefined> {
  const { key, blocks: ready } = weight;
  const step = Math.max(1, Math.floor(CHUNK / rowSize));
  let [error, total] = [0, 0];
  for (let from = 0; from < rowCount; from += step) {
    const to = Math.min(from + step, rowCount);
    const values = await weight.rows(from, to);
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
