/** Writes a source's weights to `.safetensors` files, some rows at a time, so that memory does not grow with them. */
import { open } from "node:fs/promises";
import { quantize } from "../../src/quantize/quantize.ts";
import { toBfloat16 } from "../../src/quantize/half.ts";
import { elements } from "../../src/weights/tensor-file.ts";
import type { SourceWeight, WeightSource } from "../../src/weights/weight-source.ts";
import type { Kind } from "./options.ts";

/** Rows that are in memory at once. */
const ROWS = 512;

/** How numbers are stored, by their names in the file. */
const FLOATS = {
  F32: { bytes: 4, stored: (numbers: Float32Array): Uint8Array => new Uint8Array(numbers.buffer) },
  BF16: {
    bytes: 2,
    stored: (numbers: Float32Array): Uint8Array =>
      new Uint8Array(Uint16Array.from(numbers, toBfloat16).buffer),
  },
};

/** Writes the weights as `retouch quantize` does; blocks of the source are copied as they are. */
export async function writeConverted(file: string, source: WeightSource, kind: Kind): Promise<void> {
  // A bundled program has no second file to run threads from.
  await quantize(source, kind, file, { hash: source.name, threads: 1 });
}

/** All weights as floats; numbers that bfloat16 cannot hold are rounded. */
export async function writeFloats(
  file: string,
  weights: readonly SourceWeight[],
  dtype: keyof typeof FLOATS = "F32",
): Promise<void> {
  const { bytes, stored } = FLOATS[dtype];
  let end = 0;
  const entries = weights.map(({ key, shape }) => {
    const start = end;
    end += elements(shape) * bytes;
    return [key, { dtype, shape, data_offsets: [start, end] }] as const;
  });
  const json = JSON.stringify(Object.fromEntries(entries));
  const header = Buffer.from(json.padEnd(Math.ceil(json.length / 8) * 8));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  const output = await open(file, "w");
  try {
    await output.write(Buffer.concat([length, header]));
    for (const { shape, rows } of weights) {
      for (let from = 0; from < shape[0]!; from += ROWS) {
        await output.write(stored(await rows(from, Math.min(shape[0]!, from + ROWS))));
      }
    }
    // Otherwise the disk would still be writing while the file is read.
    await output.sync();
  } finally {
    await output.close();
  }
}
