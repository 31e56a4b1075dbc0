/** Writes `.safetensors` files: what the sources only read. */
import { readFile, writeFile } from "node:fs/promises";
import { toFloat16 } from "../../src/quantize/half.ts";

export interface TensorFields {
  dtype: string;
  shape: number[];
  bytes: Uint8Array;
}

/** A float32 tensor of a file to be written. */
export const float32 = (values: readonly number[], shape: number[] = [values.length]): TensorFields => ({
  dtype: "F32",
  shape,
  bytes: new Uint8Array(Float32Array.from(values).buffer),
});

/** A float16 tensor of a file to be written. */
export const float16 = (values: readonly number[], shape: number[] = [values.length]): TensorFields => ({
  dtype: "F16",
  shape,
  bytes: new Uint8Array(Uint16Array.from(values, toFloat16).buffer),
});

/** A tensor of bytes. */
export const uint8 = (values: Uint8Array, shape: number[]): TensorFields => ({
  dtype: "U8",
  shape,
  bytes: values,
});

/** The bytes of a file whose header is `header`, a JSON value or a text that is none. */
export function fileOf(header: unknown, data: Uint8Array = new Uint8Array()): Uint8Array {
  const json = Buffer.from(typeof header === "string" ? header : JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  return Buffer.concat([length, json, data]);
}

export async function writeSafetensors(
  file: string,
  tensors: Readonly<Record<string, TensorFields>>,
  metadata: Readonly<Record<string, string>> = { format: "pt" },
): Promise<void> {
  const header: Record<string, unknown> = { __metadata__: metadata };
  let offset = 0;
  for (const [key, { dtype, shape, bytes }] of Object.entries(tensors)) {
    header[key] = { dtype, shape, data_offsets: [offset, offset + bytes.length] };
    offset += bytes.length;
  }
  const data = Buffer.concat(Object.values(tensors).map((tensor) => tensor.bytes));
  await writeFile(file, fileOf(header, data));
}

/** Rewrites a file with its tensors changed by `change`. */
export async function changeSafetensors(
  file: string,
  change: (tensors: Record<string, TensorFields>) => void,
): Promise<void> {
  const tensors = await readStored(file);
  change(tensors);
  await writeSafetensors(file, tensors);
}

/** The tensors of a file. */
export async function readStored(file: string): Promise<Record<string, TensorFields>> {
  const whole = await readFile(file);
  const dataStart = 8 + Number(whole.readBigUInt64LE());
  const header = JSON.parse(whole.toString("utf8", 8, dataStart)) as Record<
    string,
    { dtype: string; shape: number[]; data_offsets: [number, number] }
  >;
  delete header["__metadata__"];
  const tensors: Record<string, TensorFields> = {};
  for (const [key, { dtype, shape, data_offsets: range }] of Object.entries(header)) {
    const [start, end] = range;
    tensors[key] = { dtype, shape, bytes: whole.subarray(dataStart + start, dataStart + end) };
  }
  return tensors;
}
