/** CLIP's byte-pair tokenizer, as its class is built from a vocabulary and its merges, whichever files hold them. */
import { RetouchError } from "../errors.ts";
import { shownValue } from "../weights/config.ts";
import { bytePairModel, readBytePairs, visibleBytes } from "./byte-pairs.ts";
import type { TokenizerFolder } from "./folder.ts";
import type { Scheme } from "./scheme.ts";
import type { GatheredFields } from "./special-tokens.ts";
import { contentOf } from "./token-values.ts";
import { composed, lowerCase, partsOf } from "./unicode.ts";
import type { Token } from "./unigram.ts";

/** How CLIP cuts text before merging: contractions, runs of letters, single digits, runs of anything else. */
const WORDS =
  /<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|\p{L}+|\p{N}|[^\p{White_Space}\p{L}\p{N}]+/gu;
/** The second cut, of GPT-2's byte level: it takes the texts of special tokens apart. */
const BYTE_LEVEL = /'s|'t|'re|'ve|'m|'ll|'d|\p{L}+|\p{N}+|[^\p{White_Space}\p{L}\p{N}]+/gu;
/** Marks the last symbol of a word. */
const END_OF_WORD = "</w>";

const DEFAULTS = {
  unk_token: "<|endoftext|>",
  bos_token: "<|startoftext|>",
  eos_token: "<|endoftext|>",
  pad_token: "<|endoftext|>",
} as const;

/** @throws RetouchError CHECKPOINT_MISSING or CHECKPOINT_INVALID, naming the file */
export async function clipScheme(folder: TokenizerFolder, gathered: GatheredFields): Promise<Scheme> {
  const { file, vocabulary, merges } = await readBytePairs(folder);
  const fields = { ...DEFAULTS, ...gathered.fields };
  const merge = bytePairModel(merges, END_OF_WORD);
  // The reference looks for this word where the file says null.
  const unknown = contentOf(fields.unk_token) ?? "None";
  const tokenOf = (symbol: string): Token => {
    const text = vocabulary.has(symbol) ? symbol : unknown;
    const id = vocabulary.get(text);
    if (id !== undefined) return { id, text };
    throw new RetouchError(
      "CHECKPOINT_INVALID",
      `In ${file}, the vocabulary has neither ${shownValue(symbol)}, which a text needs, nor the unk_token.`,
    );
  };
  return {
    file,
    fields,
    vocabulary: { size: vocabulary.size, idOf: (token) => vocabulary.get(token) },
    frame: (idOf) => ({ begin: [idOf("bos_token")], end: [idOf("eos_token")] }),
    normalize: (text) => lowerCase(composed(text).replaceAll(/\p{White_Space}+/gu, " ")),
    tokens: (text) => wordsOf(text).flatMap((word) => merge(word).map(tokenOf)),
  };
}

/** The words of a text, byte by byte. */
const wordsOf = (text: string): string[] =>
  partsOf(text, WORDS)
    .flatMap((word) => partsOf(word, BYTE_LEVEL))
    .map(visibleBytes);
