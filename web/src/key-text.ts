/** Which strings may be an API key, and which key a link carries. */

const MAX_LENGTH = 200;
const KEY = /^[\x21-\x7e]+$/;
const SHOWN = 8;

/** Why a string cannot be a key, in a sentence; undefined if it can. A header accepts no other string. */
export function keyProblem(text: string): string | undefined {
  if (text === "") return "Paste a key first.";
  if (text.length <= MAX_LENGTH && KEY.test(text)) return undefined;
  return `A key has at most ${MAX_LENGTH} characters: Latin letters, digits and punctuation, without spaces.`;
}

/**
 * The key in a link's fragment, `#key=...`.
 * @returns undefined if there is none, "" for a string that cannot be a key
 */
export function keyInFragment(fragment: string): string | undefined {
  const encoded = /^#key=([^&]*)/.exec(fragment)?.[1];
  if (encoded === undefined) return undefined;
  try {
    const key = decodeURIComponent(encoded);
    return keyProblem(key) === undefined ? key : "";
  } catch {
    return "";
  }
}

/** The beginning of a key, to tell keys apart: at most a quarter, so that the screen reveals no key. */
export const beginningOf = (key: string): string =>
  `${key.slice(0, Math.min(SHOWN, Math.floor(key.length / 4)))}…`;
