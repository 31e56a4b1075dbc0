/** Token ids as scripts/reference/tokenizer_rows.py and chat_rows.py shorten them. */
import { createHash } from "node:crypto";
import type { ChatTokenizer } from "../src/tokenizers/chat.ts";
import type { Tokenizer } from "../src/tokenizers/tokenizer.ts";

const LENGTHS = [12, 512];
const CHARACTERS = 8;

const shortHash = (numbers: readonly number[]): string =>
  createHash("sha256").update(numbers.join(",")).digest("hex").slice(0, CHARACTERS);

/** What `row` gives; `refused` where it throws. */
function orRefused(row: () => string): string {
  try {
    return row();
  } catch {
    return "refused";
  }
}

/** One hash for each length. */
export const rowOf = (tokenizer: Tokenizer, text: string): string =>
  orRefused(() => LENGTHS.map((length) => shortHash(tokenizer.encode(text, length).ids)).join(""));

/** One hash of the text from the chat template, and of ids and their number for each length. */
export const chatRowOf = (tokenizer: ChatTokenizer, prompt: string): string =>
  orRefused(() => {
    const encoded = LENGTHS.map((length) => tokenizer.encode(prompt, length));
    const numbers = encoded.flatMap(({ ids, numTokens }) => ids.concat(numTokens));
    return shortHash([...Buffer.from(tokenizer.text(prompt)), ...numbers]);
  });

/** The texts whose ids differ from the reference's. */
export const compareRows = (
  tokenizer: Tokenizer,
  texts: readonly string[],
  rows: readonly string[],
): string[] => texts.filter((text, index) => rowOf(tokenizer, text) !== rows[index]);

/** The prompts whose text or ids differ from the reference's. */
export const compareChatRows = (
  tokenizer: ChatTokenizer,
  prompts: readonly string[],
  rows: readonly string[],
): string[] => prompts.filter((prompt, index) => chatRowOf(tokenizer, prompt) !== rows[index]);
