import type { Token } from "./unigram.ts";

export interface Frame {
  begin: readonly number[];
  end: readonly number[];
}

/** What a class makes of the files of its folder, before tokens are added. */
export interface Scheme {
  /** The file that contains the vocabulary. */
  file: string;
  /** The fields that its constructor passes on, with the defaults of the class. */
  fields: Record<string, unknown>;
  vocabulary: {
    /** As the reference counts it: the first id of an added token. */
    size: number;
    idOf(token: string): number | undefined;
  };
  /** The ids that come before and after every text. @param idOf the id of the token in a role, which must be there */
  frame(idOf: (role: string) => number): Frame;
  /** Tokens that its constructor adds once more, in the end, whatever the files say about them. */
  isSpecialAddedAgain?: boolean;
  normalize(text: string): string;
  /** @throws RetouchError CHECKPOINT_INVALID if the vocabulary lacks a character and has no token for such ones */
  tokens(normalized: string): Token[];
}
