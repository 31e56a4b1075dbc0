/**
 * What byte-pair tokenizers share: a vocabulary and its merges, whichever files hold them, and the visible characters
 * that stand for bytes.
 */
import { isUtf8 } from "node:buffer";
import * as library from "@huggingface/tokenizers";
import { RetouchError } from "../errors.ts";
import { Config, shownValue } from "../weights/config.ts";
import { checkVocabulary, invalid } from "./check-definition.ts";
import { isGiven, type TokenizerFolder } from "./folder.ts";

/** The library exports it, and its types lose it. */
const { BPE } = library as unknown as {
  BPE: new (config: object) => { bpe(word: string): string[] };
};

export interface BytePairs {
  file: string;
  vocabulary: ReadonlyMap<string, number>;
  merges: [string, string][];
}

/** @throws RetouchError CHECKPOINT_MISSING or CHECKPOINT_INVALID, naming the file */
export async function readBytePairs(folder: TokenizerFolder): Promise<BytePairs> {
  const { definition } = folder;
  const pairs = definition ? fromDefinition(definition) : await fromFiles(folder);
  const { file, vocabulary, merges } = pairs;
  const missing = merges
    .flatMap(([first, second]) => [first, second, first + second])
    .find((symbol) => !vocabulary.has(symbol));
  if (missing === undefined) return pairs;
  throw new RetouchError(
    "CHECKPOINT_INVALID",
    `In ${file}, the merges need the symbol ${shownValue(missing)}, which the vocabulary lacks.`,
  );
}

/**
 * Merges a word's symbols by the rank of the pairs. The symbols get their ids elsewhere, so it needs no vocabulary.
 * @param endOfWord marks the last symbol of a word
 */
export function bytePairModel(merges: BytePairs["merges"], endOfWord?: string): (word: string) => string[] {
  const model = new BPE({
    type: "BPE",
    vocab: {},
    merges,
    ...(endOfWord !== undefined && { end_of_word_suffix: endOfWord }),
    ignore_merges: false,
  });
  return (word) => model.bpe(word);
}

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
    throw new RetouchError("CHECKPOINT_INVALID", `The checkpoint file ${file} is not UTF-8 text.`);
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

/** The bytes of a text in UTF-8, a visible character for each. */
export const visibleBytes = (text: string): string =>
  Array.from(Buffer.from(text, "utf8"), (byte) => BYTE_CHARACTERS[byte]).join("");
