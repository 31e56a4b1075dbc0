/** What a key may be called. Names are printed in terminals, so none can steer one. */
import { RetouchError } from "../errors.ts";

const MAX_LENGTH = 100;
/** Escape sequences, ends of lines, halves of characters, and what turns the order of a line round. */
const UNPRINTABLE = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\p{Bidi_Control}]/u;

/** @throws RetouchError INVALID_PARAMETER */
export function checkKeyName(name: string): void {
  // Not more than two units a character: a text of megabytes is not taken apart.
  const isShort = name.length <= 2 * MAX_LENGTH && [...name].length <= MAX_LENGTH;
  if (name.trim() === "" || !isShort || UNPRINTABLE.test(name)) {
    throw new RetouchError(
      "INVALID_PARAMETER",
      `The name of a key must have 1 to ${MAX_LENGTH} characters, none of them a control character.`,
    );
  }
}
