/** What a key may be called. Names are printed in terminals, so they must not contain control sequences. */
import { RetouchError } from "../errors.ts";

const MAX_LENGTH = 100;
/** Escape sequences, line breaks, lone surrogates, and characters that reverse the direction of a line. */
const UNPRINTABLE = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\p{Bidi_Control}]/u;

/** @throws RetouchError INVALID_PARAMETER */
export function checkKeyName(name: string): void {
  // A character has at most two code units, so a string of megabytes need not be split.
  const isShort = name.length <= 2 * MAX_LENGTH && [...name].length <= MAX_LENGTH;
  if (name.trim() === "" || !isShort || UNPRINTABLE.test(name)) {
    throw new RetouchError(
      "INVALID_PARAMETER",
      `The name of a key must have 1 to ${MAX_LENGTH} characters, none of them a control character.`,
    );
  }
}
