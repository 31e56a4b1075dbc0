/** Token ids as scripts/reference/tokenizer_rows.py shortens them. */
import { createHash } from "node:crypto";
import type { Tokenizer } from "../src/tokenizers/tokenizer.ts";

const LENGTHS = [12, 512];
const CHARACTERS = 8;

/** One hash for each length. */
export function rowOf(tokenizer: Tokenizer, text: string): string {
  try {
    return LENGTHS.map((length) =>
      createHash("sha256")
        .update(tokenizer.encode(text, length).ids.join(","))
        .digest("hex")
        .slice(0, CHARACTERS),
    ).join("");
  } catch {
    return "refused";
  }
}

/** The texts whose ids differ from the reference's. */
export const compareRows = (
  tokenizer: Tokenizer,
  texts: readonly string[],
  rows: readonly string[],
): string[] => texts.filter((text, index) => rowOf(tokenizer, text) !== rows[index]);
