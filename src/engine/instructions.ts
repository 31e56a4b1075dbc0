/** The instructions of several edits as those of one edit, which is made from the first one's picture. */
import { EDIT_PARAMETERS } from "./edit-parameters.ts";

/** What an edit was told. */
export interface Instruction {
  prompt: string;
  /** What T5 reads instead. */
  prompt2?: string | undefined;
}

/** How the shipped model was taught two edits in one instruction (`training/scenes/grammar.py`). */
const BETWEEN = ", then ";
/** What ends a sentence or a clause. A question mark stays: it is part of what was said. */
const END = /[\s.,;:!\u3001\u3002\uFF01\uFF0C\uFF1A\uFF1B]/u;

/**
 * Joins instructions in their order: `Make it night.` and `Add snow` become `Make it night, then Add snow`. Only what ends
 * each but the last is changed.
 * @param instructions at least one
 */
export function joinInstructions(instructions: readonly string[]): string {
  const texts = instructions.map((text) => text.trim());
  return texts.map((text, index) => (index === texts.length - 1 ? text : withoutEnd(text))).join(BETWEEN);
}

/** The text itself if it is nothing but an end. */
function withoutEnd(text: string): string {
  // A regular expression that is anchored at the end alone takes quadratic time.
  let length = text.length;
  while (length > 0 && END.test(text[length - 1]!)) length -= 1;
  return length === 0 ? text : text.slice(0, length);
}

/**
 * What CLIP reads of all turns, and what T5 reads if any turn gave it a text of its own.
 * @param turns at least one, in their order
 */
export function joinTurns(turns: readonly Instruction[]): Instruction {
  const isDivided = turns.some(({ prompt2 }) => prompt2 !== undefined);
  return {
    prompt: joinInstructions(turns.map(({ prompt }) => prompt)),
    prompt2: isDivided ? joinInstructions(turns.map(({ prompt, prompt2 }) => prompt2 ?? prompt)) : undefined,
  };
}

/** Why a joined instruction is too long for one edit, as the end of a sentence; undefined if it is not. */
export function tooLong({ prompt, prompt2 = "" }: Instruction): string | undefined {
  const { max } = EDIT_PARAMETERS.prompt;
  const longest = Math.max(prompt.length, prompt2.length);
  if (longest <= max) return undefined;
  const [most, count] = [max, longest].map((length) => length.toLocaleString("en"));
  return `the instructions of all edits have ${count} characters together, and a prompt at most ${most}.`;
}

/** What is said of an edit of an edit where it could be made from the original. @param turn its place in the row, from 2 */
export const offerOf = (turn: number, name: string): string =>
  `This is edit ${turn} in a row of one picture; with ${name} it is made from the original, by the instructions of all ${turn}.`;
