/**
 * Writes a network's weights into a file of ours, some rows at a time, so memory does not grow with the network. The
 * file is written beside its target and renamed when complete; its header is written last, so half a file is not
 * valid.
 */
import { randomUUID } from "node:crypto";
import { mkdir, open, readdir, rename, rm, stat, statfs } from "node:fs/promises";
import path from "node:path";
import { messageOf, RetouchError } from "../errors.ts";
import { writeRange } from "../files/ranges.ts";
import type { ConvertedKind } from "../weights/converted.ts";
import type { WeightSource } from "../weights/weight-source.ts";
import { FileLayout } from "./layout.ts";
import { type RoundedWeight, type WriteOptions, writeWeights } from "./write-weights.ts";

export interface QuantizeOptions extends WriteOptions {
  /** SHA-256 of what the source was made from, in hexadecimal; stored in the file. */
  hash: string;
  /** Free bytes on a folder's file system. @default what the system reports */
  freeBytes?: ((folder: string) => Promise<number>) | undefined;
}

export interface Quantized {
  byteLength: number;
  /** The error of every weight that was rounded. */
  errors: RoundedWeight[];
}

const PARTIAL = /\.[0-9a-f-]{36}\.partial$/;
/** A running conversion writes many times per second. */
const STALE_MS = 60_000;

/**
 * Converts `source` into `file`, whose folder is created if missing.
 * @throws RetouchError OUTPUT_UNWRITABLE, ABORTED, CHECKPOINT_INVALID for numbers that are not finite, or
 * CHECKPOINT_UNSUPPORTED for numbers that the kind cannot hold
 */
export async function quantize(
  source: WeightSource,
  kind: ConvertedKind,
  file: string,
  options: QuantizeOptions,
): Promise<Quantized> {
  const { hash, freeBytes = freeBytesOf } = options;
  const layout = new FileLayout(source.weights(), kind, hash);
  const { byteLength } = layout;
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
    try {
      const errors = await writeWeights(source.name, layout, handle, options);
      await writeRange(handle, layout.header(errors), 0);
      // Without this, a crash after the rename may leave a file of zeros under the final name.
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

/** Removes what crashed conversions into the same file left behind: partial files that nothing writes to any more. */
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
