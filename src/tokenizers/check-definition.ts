/**
 * Checks those parts of a `tokenizer.json` that the reference's classes keep: vocabulary, merges, character map, added
 * tokens. They rebuild everything else, so it is not even looked at.
 */
import { RetouchError } from "../errors.ts";
import { isWhole, shownValue } from "../weights/config.ts";
import { MAX_VOCABULARY } from "../weights/limits.ts";

const isId = isWhole({ min: 0, max: MAX_VOCABULARY });

/** The library's models; the reference accepts no other name. */
const MODELS: readonly unknown[] = [undefined, "BPE", "Unigram", "WordPiece", "WordLevel"];

export type Fields = Readonly<Record<string, unknown>>;

/** @throws RetouchError CHECKPOINT_INVALID, naming the file and its malformed part */
export function checkDefinition(
  file: string,
  { model, added_tokens: addedTokens, normalizer }: Fields,
): void {
  if (!isObject(model)) throw invalid(file, "model must be an object", model);
  const { type, vocab, unk_id: unknownId } = model;
  if (!MODELS.includes(type))
    throw invalid(file, `model.type must be one of ${MODELS.slice(1).join(", ")}`, type);
  checkVocabulary(file, "model.vocab", vocab);
  if (Array.isArray(vocab) && unknownId !== undefined && unknownId !== null) {
    if (!isId(unknownId) || unknownId >= vocab.length) {
      throw invalid(file, "model.unk_id must be an id of the vocabulary", unknownId);
    }
  }
  if (addedTokens !== undefined) checkAddedTokens(file, addedTokens);
  if (normalizer !== undefined && normalizer !== null && !isObject(normalizer)) {
    throw invalid(file, "normalizer must be an object", normalizer);
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

function checkAddedTokens(file: string, tokens: unknown): void {
  if (!Array.isArray(tokens)) throw invalid(file, "added_tokens must be a list", tokens);
  for (const [index, token] of tokens.entries()) {
    const { id, content } = isObject(token) ? token : {};
    if (!isId(id) || typeof content !== "string") {
      throw invalid(file, `added_tokens[${index}] must have an id up to ${MAX_VOCABULARY} and a text`, token);
    }
  }
}

export const isObject = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** The refusal of a value in a file. */
export function invalid(file: string, what: string, found: unknown): RetouchError {
  const is = found === undefined ? "is missing" : `is ${shownValue(found)}`;
  return new RetouchError("CHECKPOINT_INVALID", `In ${file}, ${what} and ${is}.`);
}
