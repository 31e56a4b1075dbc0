/** Writes `.safetensors` files of a source's weights, some rows at a time, so that memory does not grow with them. */
import { open } from "node:fs/promises";
import { blocksPerRow, bytesPerBlock } from "../../src/weights/quantized.ts";
import type { SourceBlocks, SourceWeight } from "../../src/weights/weight-source.ts";

/** Rows that are in memory at once. */
const ROWS = 512;
const FLOAT_BYTES = 4;

interface Tensor {
  key: string;
  dtype: "F32" | "U8";
  shape: readonly number[];
  byteLength: number;
  /** The bytes of some rows. */
  read(from: number, to: number): Promise<Uint8Array | Float32Array>;
}

/** All weights as float32. */
export function writeFloats(file: string, weights: Iterable<SourceWeight>): Promise<void> {
  return writeTensors(file, [...weights].map(floatTensor), {});
}

/**
 * In the blocks that the source has, all else as float32: a file as `src/weights/converted.ts` reads it.
 */
export function writeConverted(
  file: string,
  weights: Iterable<SourceWeight>,
  { kind, source }: { kind: "int8" | "int4"; source: string },
): Promise<void> {
  const matrices: Record<string, object> = {};
  const tensors = [...weights].flatMap((weight) => {
    const { key, shape, blocks } = weight;
    if (!blocks) return [floatTensor(weight)];
    const { bits, blockSize } = blocks;
    matrices[key] = { bits, blockSize, columns: shape[1] };
    return [blockTensor(weight, blocks), scaleTensor(weight, blocks)];
  });
  const metadata = { retouch_weights: "1", kind, source, matrices: JSON.stringify(matrices), errors: "{}" };
  return writeTensors(file, tensors, metadata);
}

const elements = (shape: readonly number[]): number => shape.reduce((product, dim) => product * dim, 1);

const floatTensor = ({ key, shape, rows }: SourceWeight): Tensor => ({
  key,
  dtype: "F32",
  shape,
  byteLength: elements(shape) * FLOAT_BYTES,
  read: rows,
});

function blockTensor({ key, shape }: SourceWeight, source: SourceBlocks): Tensor {
  const stored = [shape[0]!, blocksPerRow(shape[1]!, source), bytesPerBlock(source)];
  const read = async (from: number, to: number): Promise<Uint8Array> => (await source.read(from, to)).blocks;
  return { key, dtype: "U8", shape: stored, byteLength: elements(stored), read };
}

function scaleTensor({ key, shape }: SourceWeight, source: SourceBlocks): Tensor {
  const stored = [shape[0]!, blocksPerRow(shape[1]!, source)];
  const read = async (from: number, to: number): Promise<Float32Array> =>
    (await source.read(from, to)).scales;
  return {
    key: `${key}.scales`,
    dtype: "F32",
    shape: stored,
    byteLength: elements(stored) * FLOAT_BYTES,
    read,
  };
}

async function writeTensors(
  file: string,
  tensors: readonly Tensor[],
  metadata: Readonly<Record<string, string>>,
): Promise<void> {
  let end = 0;
  const entries = tensors.map(({ key, dtype, shape, byteLength }) => {
    const start = end;
    end += byteLength;
    return [key, { dtype, shape, data_offsets: [start, end] }] as const;
  });
  const json = JSON.stringify({ __metadata__: metadata, ...Object.fromEntries(entries) });
  const header = Buffer.from(json.padEnd(Math.ceil(json.length / 8) * 8));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  const output = await open(file, "w");
  try {
    await output.write(length);
    await output.write(header);
    for (const { shape, read } of tensors) {
      for (let from = 0; from < shape[0]!; from += ROWS) {
        await output.write(await read(from, Math.min(shape[0]!, from + ROWS)));
      }
    }
    // Or the disk is still busy with it while the file is read.
    await output.sync();
  } finally {
    await output.close();
  }
}
