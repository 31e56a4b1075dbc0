/** What may be an API key, and the one that a link carries. */

const MAX_LENGTH = 200;
const KEY = /^[\x21-\x7e]+$/;
const SHOWN = 8;

/** Why a text can be no key, in a sentence; undefined where it can. A header takes no other text. */
export function keyProblem(text: string): string | undefined {
  if (text === "") return "Paste a key first.";
  if (text.length <= MAX_LENGTH && KEY.test(text)) return undefined;
  return `A key has at most ${MAX_LENGTH} characters: Latin letters, digits and signs, no blanks.`;
}

/**
 * The key of a link's fragment, `#key=...`.
 * @returns undefined where it has none, "" for a text that can be no key
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

/** Its beginning, to tell keys apart: at most a quarter of it, so that a look at the screen gives none away. */
export const beginningOf = (key: string): string =>
  `${key.slice(0, Math.min(SHOWN, Math.floor(key.length / 4)))}…`;
