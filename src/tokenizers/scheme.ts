import type { Token } from "./unigram.ts";

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
  /** Whether `bos_token` comes first; `eos_token` always comes last. */
  hasBeginning: boolean;
  normalize(text: string): string;
  /** @throws RetouchError CHECKPOINT_INVALID if the vocabulary lacks a character and has no token for such ones */
  tokens(normalized: string): Token[];
}
