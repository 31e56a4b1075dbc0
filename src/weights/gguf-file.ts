/**
 * The weights of one network in a `.gguf` file, as a source for conversion: the runtime's quantised format has
 * different blocks from ggml's. For them, Q8_0 and Q4_0 are rewritten without rounding; everything else is widened to
 * float32.
 */
import { open } from "node:fs/promises";
import { RetouchError } from "../errors.ts";
import { dequantize, GGUF_TYPES, type GgufType, ggufTypeOf, reblock } from "./gguf-types.ts";
import type { Wanted } from "./network-keys.ts";
import { type GgufTensor, readGgufHeader } from "./gguf.ts";
import { elements, type LayoutEntry, TensorFile } from "./tensor-file.ts";
import type { SourceBlocks, SourceWeight, WeightSource } from "./weight-source.ts";

const BF16 = ggufTypeOf(30);

type ReadableTensor = GgufTensor & { type: GgufType };

export class GgufFile extends TensorFile<GgufTensor> {
  private constructor(file: string, wanted: Wanted, tensors: ReadonlyMap<string, GgufTensor>) {
    super(file, wanted, tensors, { test: isReadable, names: GGUF_TYPES });
  }

  /**
   * Reads the header of `file`.
   * @param wanted which of the networks in it
   * @throws RetouchError as `readGgufHeader` does
   */
  static async open(file: string, wanted: Wanted): Promise<GgufFile> {
    return new GgufFile(file, wanted, await readGgufHeader(file));
  }

  /**
   * Gives the network its weights under its own keys.
   * @throws RetouchError CHECKPOINT_INVALID or CHECKPOINT_UNSUPPORTED for the first key that is missing, unknown, of
   * another shape or of a type that cannot be read
   */
  arrange(layout: readonly LayoutEntry[]): WeightSource {
    const found = this.tensorsOf(layout);
    // Tensors without a type have already been refused.
    const weights = found.flatMap(({ entry, tensor }) =>
      weightsOf(this.file, entry, tensor as ReadableTensor),
    );
    const byteLength = bytesOf(found);
    const inBfloat16 = found.filter(({ tensor }) => tensor.type === BF16);
    const half = 2 * bytesOf(inBfloat16) > byteLength ? "bf16" : "fp16";
    return { name: this.file, files: [this.file], byteLength, half, weights: () => weights };
  }
}

const bytesOf = (found: readonly { tensor: GgufTensor }[]): number =>
  found.reduce((sum, { tensor }) => sum + tensor.byteLength, 0);
const isReadable = ({ type }: GgufTensor): boolean => type !== undefined;

function weightsOf(
  file: string,
  { parts, isSwapped = false }: LayoutEntry,
  tensor: ReadableTensor,
): SourceWeight[] {
  const { type } = tensor;
  let end = 0;
  return parts.map(({ key, shape }) => {
    const first = end;
    end += elements(shape);
    const numRows = shape[0] ?? 1;
    const rowSize = elements(shape) / numRows;
    /** Where the file has the numbers of some rows, in the order of the weight. */
    const rangesOf = (from: number, to: number): Range[] =>
      storedRows(from, to, isSwapped ? numRows / 2 : 0).map(([a, b]) => [
        first + a * rowSize,
        first + b * rowSize,
      ]);

    const weight: SourceWeight = {
      key,
      shape,
      async rows(from, to) {
        const rows = new Float32Array((to - from) * rowSize);
        let at = 0;
        for (const range of rangesOf(from, to)) {
          const numbers = await readNumbers(file, tensor, range);
          rows.set(numbers, at);
          at += numbers.length;
        }
        return rows;
      },
    };
    // A matrix's rows are whole blocks, unless it was reshaped; a vector is never multiplied in blocks.
    const isWhole = shape.length === 2 && rowSize % type.blockSize === 0;
    if (type.exact && isWhole) weight.blocks = blocksOf(file, tensor, type.exact, rangesOf);
    return weight;
  });
}

function blocksOf(
  file: string,
  tensor: ReadableTensor,
  exact: NonNullable<GgufType["exact"]>,
  rangesOf: (from: number, to: number) => Range[],
): SourceBlocks {
  return {
    ...exact.format,
    async read(from, to) {
      const bytes: Uint8Array[] = [];
      for (const range of rangesOf(from, to)) bytes.push((await readBlocks(file, tensor, range)).bytes);
      return reblock(tensor.type, exact, bytes.length === 1 ? bytes[0]! : Buffer.concat(bytes));
    },
  };
}

type Range = readonly [from: number, to: number];

/** @param half rows per half if the file has the halves in the other order, else 0 */
function storedRows(from: number, to: number, half: number): Range[] {
  if (half === 0) return [[from, to]];
  const ranges: Range[] = [
    [from + half, Math.min(to, half) + half],
    [Math.max(from, half) - half, to - half],
  ];
  return ranges.filter(([start, end]) => start < end);
}

async function readNumbers(file: string, tensor: ReadableTensor, [from, to]: Range): Promise<Float32Array> {
  const { bytes, start } = await readBlocks(file, tensor, [from, to]);
  return dequantize(tensor.type, bytes).subarray(from - start, to - start);
}

/** Reads the whole blocks that contain a tensor's numbers `from` up to `to`; `start` is their first number's index. */
async function readBlocks(
  file: string,
  { type: { blockSize, blockBytes }, byteOffset }: ReadableTensor,
  [from, to]: Range,
): Promise<{ bytes: Uint8Array; start: number }> {
  const block = Math.floor(from / blockSize);
  const length = (Math.ceil(to / blockSize) - block) * blockBytes;
  const bytes = new Uint8Array(length);
  const handle = await open(file, "r");
  try {
    const { bytesRead } = await handle.read(bytes, 0, length, byteOffset + block * blockBytes);
    if (bytesRead !== length) {
      throw new RetouchError(
        "CHECKPOINT_INVALID",
        `The weights file ${file} became shorter while it was read.`,
      );
    }
  } finally {
    await handle.close();
  }
  return { bytes, start: block * blockSize };
}
