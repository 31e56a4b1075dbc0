/** CLIP's byte-pair tokenizer, as its class is built from a vocabulary and its merges, whichever files hold them. */
import { isUtf8 } from "node:buffer";
import * as library from "@huggingface/tokenizers";
import { RetouchError } from "../errors.ts";
import { Config, shownValue } from "../weights/config.ts";
import { checkVocabulary, invalid } from "./check-definition.ts";
import { isGiven, type TokenizerFolder } from "./folder.ts";
import type { Scheme } from "./scheme.ts";
import type { GatheredFields } from "./special-tokens.ts";
import { contentOf } from "./token-values.ts";
import { composed, lowerCase, partsOf } from "./unicode.ts";
import type { Token } from "./unigram.ts";

/** The library exports it, and its types lose it. */
const { BPE } = library as unknown as {
  BPE: new (config: object) => { bpe(word: string): string[] };
};

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

interface BytePairs {
  file: string;
  vocabulary: ReadonlyMap<string, number>;
  merges: [string, string][];
}

/** @throws RetouchError CHECKPOINT_MISSING or CHECKPOINT_INVALID, naming the file */
export async function clipScheme(folder: TokenizerFolder, gathered: GatheredFields): Promise<Scheme> {
  const { definition } = folder;
  const { file, vocabulary, merges } = definition ? fromDefinition(definition) : await fromFiles(folder);
  const missing = merges
    .flatMap(([first, second]) => [first, second, first + second])
    .find((symbol) => !vocabulary.has(symbol));
  if (missing !== undefined) {
    throw lacking(file, `the merges need the symbol ${shownValue(missing)}, which the vocabulary lacks`);
  }
  const fields = { ...DEFAULTS, ...gathered.fields };
  // The words' symbols get their ids here, so the model needs no vocabulary.
  const model = new BPE({
    type: "BPE",
    vocab: {},
    merges,
    end_of_word_suffix: END_OF_WORD,
    ignore_merges: false,
  });
  // The reference looks for this word where the file says null.
  const unknown = contentOf(fields.unk_token) ?? "None";
  const tokenOf = (symbol: string): Token => {
    const text = vocabulary.has(symbol) ? symbol : unknown;
    const id = vocabulary.get(text);
    if (id !== undefined) return { id, text };
    throw lacking(
      file,
      `the vocabulary has neither ${shownValue(symbol)}, which a text needs, nor the unk_token`,
    );
  };
  return {
    file,
    fields,
    vocabulary: { size: vocabulary.size, idOf: (token) => vocabulary.get(token) },
    hasBeginning: true,
    normalize: (text) => lowerCase(composed(text).replaceAll(/\p{White_Space}+/gu, " ")),
    tokens: (text) => wordsOf(text).flatMap((word) => model.bpe(word).map(tokenOf)),
  };
}

const lacking = (file: string, what: string): RetouchError =>
  new RetouchError("CHECKPOINT_INVALID", `In ${file}, ${what}.`);

function fromDefinition({ file, fields }: Config): BytePairs {
  const { vocab, merges = [] } = fields["model"] as { vocab: object; merges?: unknown };
  const vocabulary = new Map<string, number>(
    Array.isArray(vocab)
      ? (vocab as [string, number][]).map(([text], id) => [text, id])
      : (Object.entries(vocab) as [string, number][]),
  );
  if (!Array.isArray(merges)) throw invalid(file, "model.merges must be a list", merges);
  return {
    file,
    vocabulary,
    merges: merges.map((merge: unknown, index) => {
      const pair: unknown = typeof merge === "string" ? merge.split(" ") : merge;
      if (isPair(pair)) return pair;
      throw invalid(file, `model.merges[${index}] must be two symbols`, merge);
    }),
  };
}

const isPair = (value: unknown): value is [string, string] =>
  Array.isArray(value) && value.length === 2 && value.every((symbol) => typeof symbol === "string");

async function fromFiles(folder: TokenizerFolder): Promise<BytePairs> {
  const given = ["vocab", "merges"].find((name) => isGiven(folder.config.get(name)));
  if (given !== undefined) throw invalid(folder.config.file, `${given} must be in a file of its own`, given);
  const vocabulary = await Config.read(folder.path(folder.vocabularyName("vocab.json", "merges.txt")));
  // The reference passes over what is no number.
  const ids = Object.entries(vocabulary.fields).filter(([, id]) => typeof id === "number") as [
    string,
    number,
  ][];
  checkVocabulary(vocabulary.file, "its vocabulary", Object.fromEntries(ids));
  return { file: vocabulary.file, vocabulary: new Map(ids), merges: await readMerges(folder) };
}

/** One pair on each line, but for lines about the version; lines end in LF or CRLF. */
async function readMerges(folder: TokenizerFolder): Promise<[string, string][]> {
  const file = folder.path("merges.txt");
  const bytes = await folder.bytes("merges.txt");
  if (!isUtf8(bytes))
    throw new RetouchError("CHECKPOINT_INVALID", `The checkpoint file ${file} is no UTF-8 text.`);
  const lines = bytes.toString("utf8").split("\n");
  if (lines.at(-1) === "") lines.pop();
  return lines.flatMap((line, index): [string, string][] => {
    if (line.startsWith("#version")) return [];
    const pair = line.replace(/\r$/, "").split(" ");
    if (isPair(pair)) return [pair];
    throw new RetouchError(
      "CHECKPOINT_INVALID",
      `The checkpoint file ${file} must have two symbols on each line, and its line ${index + 1} has not.`,
    );
  });
}

/** Each byte has a visible character: itself, or the next one after the first 256 that is free. */
const BYTE_CHARACTERS: readonly string[] = (() => {
  let next = 256;
  return Array.from({ length: 256 }, (_, byte) =>
    String.fromCharCode(/[!-~\u00A1-\u00AC\u00AE-\u00FF]/.test(String.fromCharCode(byte)) ? byte : next++),
  );
})();

/** The words of a text, byte by byte. */
const wordsOf = (text: string): string[] =>
  partsOf(text, WORDS)
    .flatMap((word) => partsOf(word, BYTE_LEVEL))
    .map((word) => Array.from(Buffer.from(word, "utf8"), (byte) => BYTE_CHARACTERS[byte]).join(""));
