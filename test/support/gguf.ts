/** Writes `.gguf` files of any content: what the sources only read. */

export interface GgufFields {
  name: string;
  /** Innermost first, as the file has them. */
  dims: number[];
  code: number;
  /** Of its data, from the end of the header. */
  offset: number;
}

const uint32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
};
const uint64 = (value: number | bigint): Buffer => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
};
const text = (value: string): Buffer => Buffer.concat([uint64(Buffer.byteLength(value)), Buffer.from(value)]);
const [UINT32, INT32, ARRAY] = [4, 5, 9];

/** The bytes of a file; every argument but the tensors has an ordinary value. */
export function ggufOf(
  tensors: readonly GgufFields[],
  {
    magic = "GGUF",
    version = 3,
    count = tensors.length,
    alignment = 32,
    shapes = {},
    data = new Uint8Array(),
  }: {
    magic?: string;
    version?: number;
    count?: number | bigint;
    alignment?: number;
    /** Settings that are lists of numbers. */
    shapes?: Readonly<Record<string, number[]>>;
    data?: Uint8Array;
  } = {},
): Uint8Array {
  const header = Buffer.concat([
    Buffer.from(magic),
    uint32(version),
    uint64(count),
    uint64(1 + Object.keys(shapes).length),
    text("general.alignment"),
    uint32(UINT32),
    uint32(alignment),
    ...Object.entries(shapes).flatMap(([name, dims]) => [
      text(name),
      uint32(ARRAY),
      uint32(INT32),
      uint64(dims.length),
      Buffer.concat(dims.map(uint32)),
    ]),
    ...tensors.flatMap(({ name, dims, code, offset }) => [
      text(name),
      uint32(dims.length),
      ...dims.map(uint64),
      uint32(code),
      uint64(offset),
    ]),
  ]);
  const padding = Buffer.alloc((32 - (header.length % 32)) % 32);
  return Buffer.concat([header, padding, data]);
}
