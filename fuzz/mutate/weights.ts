/** Changes weight files: the JSON of a safetensors header, the counts and texts of GGUF, the fields of protobuf. */
import type { Random } from "../random.ts";
import { mutateBytes, writeNumber } from "./bytes.ts";
import { jsonBytes } from "./json.ts";
import { oddText } from "./text.ts";

const LENGTH_BYTES = 8;

/** A safetensors file: header and data apart. */
export interface Safetensors {
  header: unknown;
  data: Buffer;
}

/** The beginning of a file, and its size: what follows is zeros, which need not be written. */
export interface SparseFile {
  start: Buffer;
  size: number;
}

export function partsOfSafetensors(bytes: Buffer): Safetensors {
  const end = LENGTH_BYTES + Number(bytes.readBigUInt64LE());
  return { header: JSON.parse(bytes.toString("utf8", LENGTH_BYTES, end)), data: bytes.subarray(end) };
}

/** Length and header of a file. */
export function headOf(json: Buffer): Buffer {
  const length = Buffer.alloc(LENGTH_BYTES);
  length.writeBigUInt64LE(BigInt(json.length));
  return Buffer.concat([length, json]);
}

/** One of the corpus with another header, whose length mostly fits. @param isWritten whether its data are, too */
export function safetensorsOf(corpus: readonly Safetensors[], random: Random, isWritten = false): SparseFile {
  const { header, data } = random.pick(corpus);
  const json = jsonBytes([header], random);
  const head = headOf(json);
  const odd = random.chance(0.05) ? writeNumber(head, 0, LENGTH_BYTES, random, "little") : head;
  const rest = random.chance(0.1) ? data.subarray(0, random.below(data.length + 1)) : data;
  const size = odd.length + rest.length;
  if (!isWritten) return { start: odd, size };
  return { start: Buffer.concat([odd, random.chance(0.1) ? mutateBytes(rest, random) : rest]), size };
}

/** A GGUF file as a list of its values, each in its own bytes. */
export function ggufOf(random: Random, tensors: readonly GgufTensorFields[]): SparseFile {
  const rate = random.pick([0, 0.001, 0.01, 0.04]);
  const odd = (): boolean => random.chance(rate);
  const uint = (width: 4 | 8, value: bigint): Buffer => {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64LE(BigInt.asUintN(64, value));
    const own = bytes.subarray(0, width);
    return odd() ? writeNumber(own, 0, width, random, "little") : own;
  };
  const text = (value: string): Buffer => {
    const bytes = odd() ? Buffer.from(oddText(random)) : Buffer.from(value);
    return Buffer.concat([uint(8, BigInt(bytes.length)), bytes]);
  };
  /** Of any type, or a list of them, of lists too. */
  const value = (type: number, depth = 0): Buffer => {
    if (type === 8) return text("some text");
    if (type === 9) {
      const inner = depth > 2 ? 4 : random.below(13);
      const items = Array.from({ length: random.below(4) }, () => value(inner, depth + 1));
      return Buffer.concat([uint(4, BigInt(inner)), uint(8, BigInt(items.length)), ...items]);
    }
    return random.bytes([1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8][type] ?? 4);
  };
  const chosen = [...tensors];
  if (random.chance(0.1)) chosen.splice(random.below(chosen.length), random.few(8));
  if (random.chance(0.05) && chosen[0]) chosen.push(chosen[0]);
  const settings = Array.from({ length: random.below(5) }, (_, index) => {
    const type = random.chance(0.9) ? random.below(13) : random.below(256);
    const name = random.pick(["general.name", "general.architecture", "general.file_type", `odd.${index}`]);
    return [text(name), uint(4, BigInt(type)), value(type)];
  });
  if (random.chance(0.8)) {
    settings.push([
      text("general.alignment"),
      uint(4, 4n),
      uint(4, random.chance(0.8) ? 32n : random.pick([64n, 1n, 3n, 0n])),
    ]);
  }
  const header = Buffer.concat([
    Buffer.from(odd() ? "GGUX" : "GGUF"),
    uint(4, random.pick([3n, 3n, 2n])),
    uint(8, BigInt(chosen.length)),
    uint(8, BigInt(settings.length)),
    ...settings.flat(),
    ...chosen.map(({ name, dims, code, offset }) =>
      Buffer.concat([
        text(name),
        uint(4, BigInt(dims.length)),
        ...dims.map((dim) => uint(8, BigInt(dim))),
        uint(4, BigInt(code)),
        uint(8, BigInt(offset)),
      ]),
    ),
  ]);
  const start = Buffer.concat([header, Buffer.alloc((32 - (header.length % 32)) % 32)]);
  const dataBytes = Math.max(0, ...tensors.map(({ offset, byteLength }) => offset + byteLength));
  const size = start.length + (random.chance(0.1) ? random.below(dataBytes + 1) : dataBytes);
  return { start: random.chance(0.2) ? mutateBytes(start, random) : start, size };
}

export interface GgufTensorFields {
  name: string;
  /** Innermost first, as the file has them. */
  dims: number[];
  code: number;
  offset: number;
  byteLength: number;
}

/** The fields of a protobuf message, each with its key. A damaged rest is one piece. */
export function splitProtobuf(bytes: Buffer): Buffer[] {
  const pieces: Buffer[] = [];
  let start = 0;
  while (start < bytes.length) {
    const [key, afterKey] = varint(bytes, start);
    const wire = key % 8;
    const [length, content] = wire === 2 ? varint(bytes, afterKey) : [0, afterKey];
    let end = content + length;
    if (wire === 0) [, end] = varint(bytes, afterKey);
    else if (wire === 5) end = content + 4;
    else if (wire === 1) end = content + 8;
    if (end <= start || end > bytes.length) break;
    pieces.push(bytes.subarray(start, end));
    start = end;
  }
  return start < bytes.length ? [...pieces, bytes.subarray(start)] : pieces;
}

function varint(bytes: Buffer, start: number): [value: number, end: number] {
  let value = 0;
  let at = start;
  for (let factor = 1; ; factor *= 128) {
    const byte = bytes[at] ?? 0;
    value += (byte & 0x7f) * factor;
    at += 1;
    if (byte < 0x80 || at > bytes.length) return [value, at];
  }
}

function writeVarint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  do {
    bytes.push((rest % 128) | (rest >= 128 ? 0x80 : 0));
    rest = Math.floor(rest / 128);
  } while (rest > 0);
  return Buffer.from(bytes);
}

/** A message with some fields changed, below too, and lengths that fit what they now hold, mostly. */
export function mutateProtobuf(bytes: Buffer, random: Random, depth = 0): Buffer {
  const pieces = splitProtobuf(bytes);
  for (let times = random.few(depth === 0 ? 6 : 2); times > 0 && pieces.length > 0; times -= 1) {
    // Few fields of a model come first or last, and those matter more than one of its many pieces.
    const at = random.chance(0.4)
      ? pieces.length - 1 - random.below(Math.min(8, pieces.length))
      : random.below(pieces.length);
    const choice = random.below(10);
    if (choice < 1) pieces.splice(at, 1);
    else if (choice < 2) pieces.splice(at, 0, ...Array<Buffer>(random.few(32)).fill(pieces[at]!));
    else if (choice < 3) pieces.splice(at, 0, ...pieces.splice(random.below(pieces.length), 1));
    else if (choice < 4) pieces[at] = mutateBytes(pieces[at]!, random);
    else pieces[at] = mutateField(pieces[at]!, random, depth);
  }
  return Buffer.concat(pieces);
}

function mutateField(piece: Buffer, random: Random, depth: number): Buffer {
  const [key, afterKey] = varint(piece, 0);
  if (key % 8 !== 2) {
    const odd = random.pick([0, 1, 2, 3, 6, 127, 128, 2 ** 31, 2 ** 32, 2 ** 53]);
    return key % 8 === 0
      ? Buffer.concat([piece.subarray(0, afterKey), writeVarint(odd)])
      : mutateBytes(piece, random);
  }
  const [, start] = varint(piece, afterKey);
  const content = piece.subarray(start);
  const isText = depth > 1 || random.chance(0.3);
  const changed = isText ? oddContent(content, random) : mutateProtobuf(content, random, depth + 1);
  const length = random.chance(0.05) ? random.pick([0, 1, 2 ** 31, 2 ** 53]) : changed.length;
  return Buffer.concat([piece.subarray(0, afterKey), writeVarint(length), changed]);
}

const oddContent = (content: Buffer, random: Random): Buffer =>
  random.chance(0.5) ? mutateBytes(content, random) : Buffer.from(oddText(random));
