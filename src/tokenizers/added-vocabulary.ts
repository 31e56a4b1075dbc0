/**
 * Tokens that a folder adds to a vocabulary: they are found in a text before the model sees it, whole and whatever
 * surrounds them. The JavaScript library knows neither words of their own nor all white space, and looks for
 * normalised ones in the wrong order, so this is implemented here.
 */
import { Trie } from "./trie.ts";
import { endsWithWord, isSpace, startsWithWord } from "./unicode.ts";
import type { Token } from "./unigram.ts";

/** The fields are those of the reference's class of this name. */
export interface AddedToken {
  content: string;
  /** Not within a word. */
  singleWord: boolean;
  /** White space before it belongs to it. */
  lstrip: boolean;
  /** White space after it belongs to it. */
  rstrip: boolean;
  /** Looked for in the normalised text, and normalised itself. */
  normalized: boolean;
  special: boolean;
}

/** What a vocabulary must be able to do for tokens to be added to it. */
interface Vocabulary {
  readonly size: number;
  idOf(token: string): number | undefined;
}

export interface AddedVocabularyOptions {
  vocabulary: Vocabulary;
  normalize: (text: string) => string;
  /** Special tokens in a text are cut like any other text. */
  splitSpecial: boolean;
}

/** A part of a text: a token that was found, or text for the model, normalised. */
export type Part = Token | string;

export class AddedVocabulary {
  readonly #options: AddedVocabularyOptions;
  readonly #ids = new Map<string, number>();
  readonly #tokens = new Map<number, AddedToken>();
  readonly #special = new Set<string>();
  readonly #plainTrie = new Trie();
  readonly #normalizedTrie = new Trie();

  /** A token that the vocabulary has keeps its id; every other gets the next one, in the order of the list. */
  constructor(tokens: readonly AddedToken[], options: AddedVocabularyOptions) {
    this.#options = options;
    const { vocabulary } = options;
    let nextId = vocabulary.size;
    for (const token of tokens) {
      if (token.content === "") continue;
      if (token.special) this.#special.add(token.content);
      const id = this.idOf(token.content) ?? nextId++;
      this.#ids.set(token.content, id);
      this.#tokens.set(id, token);
    }
    for (const [id, { content, normalized }] of this.#tokens) {
      if (normalized) this.#normalizedTrie.set(options.normalize(content), id);
      else this.#plainTrie.set(content, id);
    }
  }

  idOf(token: string): number | undefined {
    return this.#ids.get(token) ?? this.#options.vocabulary.idOf(token);
  }

  has(token: string): boolean {
    return this.#ids.has(token);
  }

  /** Finds the tokens in a text; what lies between them is normalised. */
  split(text: string): Part[] {
    return this.#find(text, this.#plainTrie).flatMap((part) =>
      typeof part === "string" ? this.#find(this.#options.normalize(part), this.#normalizedTrie) : [part],
    );
  }

  /** At every place the longest token; one that may not match there is passed over as a whole. */
  #find(text: string, trie: Trie): Part[] {
    const parts: Part[] = [];
    let done = 0;
    let position = 0;
    while (position < text.length) {
      const match = trie.longestAt(text, position);
      if (match === undefined) {
        position += 1;
        continue;
      }
      const token = this.#tokens.get(match.value)!;
      let [start, end] = [position, match.end];
      position = end;
      if (!this.#mayMatch(token, text, start, end)) continue;
      if (token.lstrip) while (start > done && isSpace(text[start - 1])) start -= 1;
      if (token.rstrip) while (end < text.length && isSpace(text[end])) end += 1;
      if (done < start) parts.push(text.slice(done, start));
      parts.push({ id: match.value, text: text.slice(start, end) });
      done = end;
    }
    if (done < text.length) parts.push(text.slice(done));
    return parts;
  }

  #mayMatch(token: AddedToken, text: string, start: number, end: number): boolean {
    if (this.#options.splitSpecial && this.#special.has(token.content)) return false;
    if (!token.singleWord) return true;
    const before = text.slice(Math.max(0, start - 2), start);
    return !endsWithWord(before) && !startsWithWord(text.slice(end, end + 2));
  }
}
