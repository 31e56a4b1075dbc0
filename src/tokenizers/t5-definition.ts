/**
 * T5's unigram tokenizer from `spiece.model`, in the form of a `tokenizer.json`. The file is a SentencePiece protobuf
 * message (`sentencepiece_model.proto`): field 1 repeats the pieces (1 text, 2 score, 3 type), field 3 is the
 * normaliser, whose field 2 is a compiled table of characters.
 */
import path from "node:path";
import { messageOf, RetouchError } from "../errors.ts";
import type { Checkpoint } from "../weights/checkpoint.ts";
import { MAX_VOCABULARY } from "../weights/limits.ts";
import { readSmallFile } from "../weights/small-file.ts";

const END_TOKEN = "</s>";
/** Types of piece that never match in text. */
const UNKNOWN_TYPE = 2;
const CONTROL_TYPE = 3;
/** The most placeholders of T5's training; the published model has 100. */
const MAX_EXTRA_IDS = 10_000;
const FLOAT_BYTES = 4;

interface Piece {
  text: string;
  score: number;
  type: number;
}

/** @throws RetouchError CHECKPOINT_MISSING or CHECKPOINT_INVALID. */
export async function t5Definition(checkpoint: Checkpoint, component: string): Promise<object> {
  const config = await checkpoint.config(`${component}/tokenizer_config.json`);
  const numExtraIds = config.wholeNumber("extra_ids", MAX_EXTRA_IDS, 100);
  const file = path.join(checkpoint.folder, component, "spiece.model");
  const bytes = await readSmallFile(file);
  try {
    return definitionOf(bytes, numExtraIds);
  } catch (cause) {
    throw new RetouchError(
      "CHECKPOINT_INVALID",
      `The checkpoint file ${file} is damaged: ${messageOf(cause)}.`,
      {
        cause,
      },
    );
  }
}

function definitionOf(bytes: Buffer, numExtraIds: number): object {
  const { pieces, charsmap } = parseModel(bytes);
  // The placeholders of T5's training are not in the file: they follow its pieces, the last one first.
  for (let index = numExtraIds - 1; index >= 0; index -= 1) {
    pieces.push({ text: `<extra_id_${index}>`, score: 0, type: CONTROL_TYPE });
  }
  const unknownId = pieces.findIndex((piece) => piece.type === UNKNOWN_TYPE);
  const endId = pieces.findIndex((piece) => piece.text === END_TOKEN);
  if (unknownId < 0 || endId < 0) throw new Error("it has no unknown or no end piece");
  const metaspace = { type: "Metaspace", replacement: "▁", prepend_scheme: "always", split: true };
  return {
    version: "1.0",
    added_tokens: pieces.flatMap(({ text, type }, id) =>
      type === UNKNOWN_TYPE || type === CONTROL_TYPE
        ? [
            {
              id,
              content: text,
              single_word: false,
              lstrip: false,
              rstrip: false,
              normalized: false,
              special: true,
            },
          ]
        : [],
    ),
    normalizer: charsmap === "" ? null : { type: "Precompiled", precompiled_charsmap: charsmap },
    pre_tokenizer: { type: "Sequence", pretokenizers: [{ type: "WhitespaceSplit" }, metaspace] },
    post_processor: {
      type: "TemplateProcessing",
      single: [{ Sequence: { id: "A", type_id: 0 } }, { SpecialToken: { id: END_TOKEN, type_id: 0 } }],
      pair: [],
      special_tokens: { [END_TOKEN]: { id: END_TOKEN, ids: [endId], tokens: [END_TOKEN] } },
    },
    decoder: metaspace,
    model: {
      type: "Unigram",
      unk_id: unknownId,
      byte_fallback: false,
      vocab: pieces.map(({ text, score }) => [text, score]),
    },
  };
}

function parseModel(bytes: Buffer): { pieces: Piece[]; charsmap: string } {
  const pieces: Piece[] = [];
  let charsmap = "";
  for (const { field, value } of fieldsOf(bytes)) {
    if (field === 1 && Buffer.isBuffer(value)) pieces.push(parsePiece(value));
    if (pieces.length > MAX_VOCABULARY) throw new Error(`it has more than ${MAX_VOCABULARY} pieces`);
    if (field === 3 && Buffer.isBuffer(value)) {
      for (const inner of fieldsOf(value)) {
        if (inner.field === 2 && Buffer.isBuffer(inner.value)) charsmap = inner.value.toString("base64");
      }
    }
  }
  return { pieces, charsmap };
}

function parsePiece(bytes: Buffer): Piece {
  const piece: Piece = { text: "", score: 0, type: 1 };
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
