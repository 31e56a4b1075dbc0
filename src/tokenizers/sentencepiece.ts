/**
 * A SentencePiece model (`spiece.model`) is a protobuf message (`sentencepiece_model.proto`): field 1 repeats the pieces
 * (1 text, 2 score, 3 type), field 3 is the normaliser, whose field 2 is a compiled table of characters.
 */
import { MAX_VOCABULARY } from "../weights/limits.ts";

const FLOAT_BYTES = 4;

/** Types of piece that are found as they are. */
export const CONTROL = 3;
export const USER_DEFINED = 4;

export interface StoredPiece {
  text: string;
  score: number;
  type: number;
}

/** @throws Error that says what is wrong with the bytes */
export function readSentencePiece(bytes: Buffer): { pieces: StoredPiece[]; charsmap: Buffer | undefined } {
  const pieces: StoredPiece[] = [];
  let charsmap: Buffer | undefined;
  for (const { field, value } of fieldsOf(bytes)) {
    if (field === 1 && Buffer.isBuffer(value)) pieces.push(parsePiece(value));
    if (pieces.length > MAX_VOCABULARY) throw new Error(`it has more than ${MAX_VOCABULARY} pieces`);
    if (field === 3 && Buffer.isBuffer(value)) {
      for (const inner of fieldsOf(value)) {
        if (inner.field === 2 && Buffer.isBuffer(inner.value)) charsmap = inner.value;
      }
    }
  }
  return { pieces, charsmap };
}

function parsePiece(bytes: Buffer): StoredPiece {
  const piece: StoredPiece = { text: "", score: 0, type: 1 };
  for (const { field, value } of fieldsOf(bytes)) {
    if (field === 1 && Buffer.isBuffer(value)) piece.text = value.toString("utf8");
    if (field === 2) piece.score = scoreOf(value);
    if (field === 3 && typeof value === "number") piece.type = value;
  }
  return piece;
}

function scoreOf(value: number | Buffer): number {
  const score = Buffer.isBuffer(value) && value.length === FLOAT_BYTES ? value.readFloatLE() : NaN;
  if (!Number.isFinite(score)) throw new Error("a piece has a score that is no number");
  return score;
}

/** The fields of a protobuf message: numbers for varints, bytes for everything else. */
function* fieldsOf(bytes: Buffer): Generator<{ field: number; value: number | Buffer }> {
  let offset = 0;
  const varint = (): number => {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = bytes[offset];
      if (byte === undefined || factor > 2 ** 56) throw new Error("it ends inside a number");
      offset += 1;
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
    }
  };
  while (offset < bytes.length) {
    const key = varint();
    const wire = key % 8;
    if (wire === 0) {
      yield { field: Math.floor(key / 8), value: varint() };
      continue;
    }
    const length = wire === 2 ? varint() : wire === 5 ? 4 : wire === 1 ? 8 : -1;
    if (length < 0 || offset + length > bytes.length) throw new Error("it ends inside a field");
    yield { field: Math.floor(key / 8), value: bytes.subarray(offset, offset + length) };
    offset += length;
  }
}
