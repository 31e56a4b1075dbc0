/** Changes files that are made of parts, so that most of what follows a change is still read: chunks, segments, boxes. */
import { crc32 } from "node:zlib";
import type { Random } from "../random.ts";
import { MAX_BYTES, mutateBytes, writeNumber } from "./bytes.ts";

/** How the parts of a format are found, and where each says how long it is. */
export interface PieceFormat {
  /** The parts of a file in order; joined, they are the file. */
  split(bytes: Buffer): Buffer[];
  /** Where a part has its length, and how it is written. */
  length?: { at: number; width: number; order: "little" | "big" };
  /** A part's content, which is changed without its header. */
  content: { from: number; fromEnd: number };
  /** Makes length and checksum fit what a part now holds. */
  mend?(piece: Buffer): Buffer;
}

/** Changes the order and number of parts, what they say of their length, and what is in them. */
export function mutatePieces(
  bytes: Buffer,
  format: PieceFormat,
  random: Random,
  corpus: readonly Buffer[],
): Buffer {
  const pieces = format.split(bytes);
  for (let times = random.few(4); times > 0; times -= 1) {
    const at = random.below(pieces.length);
    const choice = random.below(12);
    if (choice < 1) pieces.splice(at, 1);
    else if (choice < 2) pieces.splice(at, 0, ...Array<Buffer>(random.few(64)).fill(pieces[at]!));
    else if (choice < 3) pieces.splice(at, 0, ...pieces.splice(random.below(pieces.length), 1));
    else if (choice < 4) pieces.splice(at, 0, random.pick(format.split(random.pick(corpus))));
    else if (choice < 6 && format.length) pieces[at] = withOddLength(pieces[at]!, format.length, random);
    else pieces[at] = withOddContent(pieces[at]!, format, random);
    if (pieces.length === 0) break;
  }
  return Buffer.concat(pieces).subarray(0, MAX_BYTES);
}

function withOddLength(
  piece: Buffer,
  { at, width, order }: NonNullable<PieceFormat["length"]>,
  random: Random,
): Buffer {
  return piece.length < at + width ? piece : writeNumber(piece, at, width, random, order);
}

function withOddContent(piece: Buffer, { content, mend }: PieceFormat, random: Random): Buffer {
  const end = Math.max(content.from, piece.length - content.fromEnd);
  const inner = mutateBytes(piece.subarray(content.from, end), random);
  const changed = Buffer.concat([piece.subarray(0, content.from), inner, piece.subarray(end)]);
  return mend && random.chance(0.8) ? mend(changed) : changed;
}

/** Cuts as long as `lengthAt` finds a part; what is left is the last one. */
function cut(bytes: Buffer, start: number, lengthAt: (at: number) => number): Buffer[] {
  const pieces = start > 0 ? [bytes.subarray(0, start)] : [];
  let at = start;
  while (at < bytes.length) {
    const length = lengthAt(at);
    if (!(length > 0) || at + length > bytes.length) break;
    pieces.push(bytes.subarray(at, at + length));
    at += length;
  }
  return at < bytes.length || pieces.length === 0 ? [...pieces, bytes.subarray(at)] : pieces;
}

const uint32At = (bytes: Buffer, at: number): number =>
  at + 4 <= bytes.length ? bytes.readUInt32BE(at) : NaN;

/** Length, name, content, checksum (PNG, 5.3). */
export const PNG: PieceFormat = {
  split: (bytes) => cut(bytes, 8, (at) => uint32At(bytes, at) + 12),
  length: { at: 0, width: 4, order: "big" },
  content: { from: 8, fromEnd: 4 },
  mend(piece) {
    if (piece.length < 12) return piece;
    const mended = Buffer.from(piece);
    mended.writeUInt32BE(piece.length - 12, 0);
    mended.writeUInt32BE(crc32(piece.subarray(4, -4)), piece.length - 4);
    return mended;
  },
};

/** Marker, length with itself, content; after the start of the scan, all in one (ITU T.81, B.1). */
export const JPEG: PieceFormat = {
  split: (bytes) =>
    cut(bytes, 2, (at) =>
      bytes[at] === 0xff && bytes[at + 1] !== 0xda ? 2 + bytes.readUInt16BE(at + 2) : NaN,
    ),
  length: { at: 2, width: 2, order: "big" },
  content: { from: 4, fromEnd: 0 },
  mend(piece) {
    if (piece.length < 4) return piece;
    const mended = Buffer.from(piece);
    mended.writeUInt16BE(Math.min(0xffff, piece.length - 2), 2);
    return mended;
  },
};

/** Name, length, content, padding to an even number of bytes (RIFF). */
export const WEBP: PieceFormat = {
  split: (bytes) =>
    cut(bytes, 12, (at) => {
      const length = at + 8 <= bytes.length ? bytes.readUInt32LE(at + 4) : NaN;
      return 8 + length + (length % 2);
    }),
  length: { at: 4, width: 4, order: "little" },
  content: { from: 8, fromEnd: 0 },
  mend(piece) {
    if (piece.length < 8) return piece;
    const mended = Buffer.concat([piece, Buffer.alloc(piece.length % 2)]);
    mended.writeUInt32LE(piece.length - 8, 4);
    return mended;
  },
};

/** Length with itself, name, content (ISO 14496-12, 4.2). The boxes of `meta` are parts of their own. */
export const AVIF: PieceFormat = {
  split(bytes) {
    const boxes = cut(bytes, 0, (at) => uint32At(bytes, at));
    return boxes.flatMap((box) => {
      if (box.toString("latin1", 4, 8) !== "meta") return [box];
      return cut(box, 12, (at) => uint32At(box, at));
    });
  },
  length: { at: 0, width: 4, order: "big" },
  content: { from: 8, fromEnd: 0 },
  mend(piece) {
    if (piece.length < 8) return piece;
    const mended = Buffer.from(piece);
    mended.writeUInt32BE(piece.length, 0);
    return mended;
  },
};

const GIF_HEADER = 13;

/** Header with its colours, then blocks that end with an empty sub-block (GIF89a). */
export const GIF: PieceFormat = {
  split(bytes) {
    const flags = bytes[10] ?? 0;
    const start = Math.min(bytes.length, GIF_HEADER + (flags & 0x80 ? 3 * 2 ** ((flags & 7) + 1) : 0));
    return cut(bytes, start, (at) => {
      let end = at + 1;
      if (bytes[at] === 0x21) end = at + 2;
      else if (bytes[at] === 0x2c) {
        const local = bytes[at + 9] ?? 0;
        end = at + 10 + (local & 0x80 ? 3 * 2 ** ((local & 7) + 1) : 0) + 1;
      } else return 1;
      while (end < bytes.length && bytes[end] !== 0) end += 1 + bytes[end]!;
      return end + 1 - at;
    });
  },
  content: { from: 1, fromEnd: 0 },
};

const TIFF_ENTRY = 12;

/** The entries of the first directory are parts of their own: tag, type, count, value or offset (TIFF 6.0, page 14). */
export const TIFF: PieceFormat = {
  split(bytes) {
    const isLittle = bytes[0] === 0x49;
    if (bytes.length < 8) return [bytes];
    const directory = isLittle ? bytes.readUInt32LE(4) : bytes.readUInt32BE(4);
    if (directory + 2 > bytes.length) return [bytes];
    const count = isLittle ? bytes.readUInt16LE(directory) : bytes.readUInt16BE(directory);
    const end = directory + 2 + TIFF_ENTRY * count;
    return cut(bytes, directory + 2, (at) => (at < end ? TIFF_ENTRY : NaN));
  },
  length: { at: 4, width: 4, order: "little" },
  content: { from: 0, fromEnd: 0 },
};

/** Bytes without parts. */
export const PLAIN: PieceFormat = { split: (bytes) => [bytes], content: { from: 0, fromEnd: 0 } };

/** One of the corpus, changed as its format is made, or as bytes. */
export function fileOf(corpus: readonly Buffer[], format: PieceFormat, random: Random): Buffer {
  const bytes = random.pick(corpus);
  if (random.chance(0.01)) return bytes;
  const isWhole = format === PLAIN || random.chance(0.3);
  const changed = isWhole ? bytes : mutatePieces(bytes, format, random, corpus);
  return isWhole || random.chance(0.1) ? mutateBytes(changed, random, corpus) : changed;
}
