/**
 * Checks the parts of a `tokenizer.json` that the tokenizer library does not: ids, scores, pairs and special tokens.
 * Unchecked, the library would fail on them later with an unspecific error, or compute with values that are not
 * numbers.
 */
import { RetouchError } from "../errors.ts";
import { isWhole, shownValue } from "../weights/config.ts";
import { MAX_VOCABULARY } from "../weights/limits.ts";

const isId = isWhole({ min: 0, max: MAX_VOCABULARY });
/** For a pre-tokenizer that cuts text into pieces of a fixed length, which must not be 0. */
const isPieceLength = isWhole({ min: 1, max: MAX_VOCABULARY });
const MAX_DEPTH = 16;

/** The library's models; if there is no type, it guesses from the fields. */
const MODELS: readonly unknown[] = ["BPE", "Unigram", "WordPiece"];

type Fields = Readonly<Record<string, unknown>>;

/** @throws RetouchError CHECKPOINT_INVALID, naming the file and its malformed part */
export function checkDefinition(file: string, definition: Fields): void {
  const { model, added_tokens: addedTokens = [] } = definition;
  if (!isObject(model)) throw invalid(file, "model must be an object", model);
  const { type } = model;
  if (type !== undefined && !MODELS.includes(type)) {
    throw invalid(file, `model.type must be one of ${MODELS.join(", ")}`, type);
  }
  checkVocabulary(file, "model.vocab", model["vocab"]);
  checkMerges(file, model["merges"]);
  checkAddedTokens(file, addedTokens);
  const { vocab, unk_id: unknownId } = model;
  if (Array.isArray(vocab) && unknownId !== undefined && unknownId !== null) {
    if (!isId(unknownId) || unknownId >= vocab.length) {
      throw invalid(file, "model.unk_id must be an id of the vocabulary", unknownId);
    }
  }
  for (const step of ["normalizer", "pre_tokenizer", "post_processor"]) {
    checkStep(file, step, definition[step], 0);
  }
}

/** Byte pairs have an id for each string, unigrams a score. @throws as {@link checkDefinition} */
export function checkVocabulary(file: string, name: string, vocabulary: unknown): void {
  if (!isObject(vocabulary) && !Array.isArray(vocabulary)) {
    throw invalid(file, `${name} must be an object or a list`, vocabulary);
  }
  const entries = Object.entries(vocabulary);
  if (entries.length === 0 || entries.length > MAX_VOCABULARY) {
    throw invalid(file, `${name} must have from 1 to ${MAX_VOCABULARY} entries`, entries.length);
  }
  if (Array.isArray(vocabulary)) {
    const malformed = vocabulary.findIndex((entry) => !isScored(entry));
    if (malformed >= 0) {
      throw invalid(file, `${name}[${malformed}] must be a text and its score`, vocabulary[malformed]);
    }
    return;
  }
  const malformed = entries.find(([, id]) => !isId(id));
  if (malformed) {
    throw invalid(file, `${name} must give ids from 0 to ${MAX_VOCABULARY}, and one`, malformed[1]);
  }
}

const isScored = (entry: unknown): boolean =>
  Array.isArray(entry) && entry.length === 2 && typeof entry[0] === "string" && Number.isFinite(entry[1]);

/** A pair is two strings, or one with a space in between. */
function checkMerges(file: string, merges: unknown): void {
  if (merges === undefined || merges === null) return;
  if (!Array.isArray(merges)) throw invalid(file, "model.merges must be a list", merges);
  const isPaired = Array.isArray(merges[0]);
  const isPair = (merge: unknown): boolean =>
    isPaired
      ? Array.isArray(merge) && merge.length === 2 && merge.every((symbol) => typeof symbol === "string")
      : typeof merge === "string" && merge.includes(" ");
  const malformed = merges.findIndex((merge) => !isPair(merge));
  if (malformed >= 0) {
    throw invalid(file, `model.merges[${malformed}] must be two symbols`, merges[malformed]);
  }
}

function checkAddedTokens(file: string, tokens: unknown): void {
  if (!Array.isArray(tokens)) throw invalid(file, "added_tokens must be a list", tokens);
  for (const [index, token] of tokens.entries()) {
    const { id, content } = isObject(token) ? token : {};
    if (!isId(id) || typeof content !== "string" || content === "") {
      throw invalid(file, `added_tokens[${index}] must have an id up to ${MAX_VOCABULARY} and a text`, token);
    }
  }
}

/** A step may contain further steps. */
function checkStep(file: string, name: string, step: unknown, depth: number): void {
  if (step === undefined || step === null) return;
  if (!isObject(step) || typeof step["type"] !== "string" || depth > MAX_DEPTH) {
    throw invalid(file, `${name} must be an object with a type`, step);
  }
  if (step["type"] === "FixedLength" && !isPieceLength(step["length"])) {
    throw invalid(file, `${name}.length must be a whole number above 0`, step["length"]);
  }
  const charsmap = step["precompiled_charsmap"] ?? "";
  if (typeof charsmap !== "string") {
    throw invalid(file, `${name}.precompiled_charsmap must be a text`, charsmap);
  }
  for (const list of ["normalizers", "pretokenizers", "processors"]) {
    const steps = step[list] ?? [];
    if (!Array.isArray(steps)) throw invalid(file, `${name}.${list} must be a list`, steps);
    for (const [index, inner] of steps.entries()) {
      checkStep(file, `${name}.${list}[${index}]`, inner, depth + 1);
    }
  }
}

const isObject = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function invalid(file: string, what: string, found: unknown): RetouchError {
  const is = found === undefined ? "is missing" : `is ${shownValue(found)}`;
  return new RetouchError("CHECKPOINT_INVALID", `In ${file}, ${what} and ${is}.`);
}
