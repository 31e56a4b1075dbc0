/**
 * T5's unigram model: of all ways to cut a word into pieces, the one with the largest sum of scores. It is implemented
 * here because the JavaScript library adds the scores in another order, and so decides ties otherwise than the
 * reference does.
 */
import { Trie } from "./trie.ts";

/** The pieces of a vocabulary with their scores (logarithms of probabilities); a piece's place is its id. */
export type Pieces = readonly (readonly [text: string, score: number])[];

/** A part of a text as the network sees it, and its text as the tokenizer reports it. */
export interface Token {
  id: number;
  text: string;
}

/** A character that is no piece counts as so much less likely than the least likely piece. */
const UNKNOWN_PENALTY = 10;

export class Unigram {
  readonly #pieces: Pieces;
  readonly #unknownId: number;
  readonly #unknownScore: number;
  readonly #ids = new Map<string, number>();
  readonly #trie = new Trie();

  constructor(pieces: Pieces, unknownId: number) {
    this.#pieces = pieces;
    this.#unknownId = unknownId;
    let minScore = Infinity;
    pieces.forEach(([text, score], id) => {
      this.#ids.set(text, id);
      this.#trie.set(text, id);
      if (score < minScore) minScore = score;
    });
    this.#unknownScore = minScore - UNKNOWN_PENALTY;
  }

  get size(): number {
    return this.#pieces.length;
  }

  idOf(text: string): number | undefined {
    return this.#ids.get(text);
  }

  /** Neighbouring unknown characters are one token. */
  tokens(word: string): Token[] {
    const path = this.#bestPath(word);
    const tokens: Token[] = [];
    let unknown = "";
    const flush = (): void => {
      if (unknown !== "") tokens.push({ id: this.#ids.get(unknown) ?? this.#unknownId, text: unknown });
      unknown = "";
    };
    for (const { start, end, id } of path) {
      if (id === this.#unknownId) {
        unknown += word.slice(start, end);
        continue;
      }
      flush();
      tokens.push({ id, text: word.slice(start, end) });
    }
    flush();
    return tokens;
  }

  #bestPath(word: string): { start: number; end: number; id: number }[] {
    // By the position where a piece ends: the best sum of scores up to there, and the piece that leads to it.
    const scores = new Float64Array(word.length + 1);
    const starts = new Int32Array(word.length + 1).fill(-1);
    const ids = new Int32Array(word.length + 1);
    let start = 0;
    const offer = (end: number, score: number, id: number): void => {
      const sum = score + scores[start]!;
      if (starts[end] !== -1 && !(sum > scores[end]!)) return;
      scores[end] = sum;
      starts[end] = start;
      ids[end] = id;
    };
    while (start < word.length) {
      const next = start + (word.codePointAt(start)! > 0xffff ? 2 : 1);
      let isKnown = false;
      this.#trie.eachAt(word, start, (end, id) => {
        offer(end, this.#pieces[id]![1], id);
        isKnown ||= end === next;
      });
      if (!isKnown) offer(next, this.#unknownScore, this.#unknownId);
      start = next;
    }
    const path: { start: number; end: number; id: number }[] = [];
    for (let end = word.length; end > 0; end = starts[end]!)
      path.push({ start: starts[end]!, end, id: ids[end]! });
    return path.toReversed();
  }
}
