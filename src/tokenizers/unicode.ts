/**
 * Characters as the reference sees them. Its regular expressions know Unicode 16, its normaliser an edition before 13,
 * and Node the newest: what they disagree on is listed here. `test/tokenizers/unicode.test.ts` compares every character.
 */

/** Assigned in Unicode 17: neither letter nor number nor part of a word for the reference. */
// prettier-ignore
const NEWER =
  // oxlint-disable-next-line no-misleading-character-class
  /[\u088F\u0C5C\u0CDC\u1ACF-\u1ADD\u1AE0-\u1AEB\u20C1\u2B96\uA7CE-\uA7CF\uA7D2\uA7D4\uA7F1\uFBC3-\uFBD2\uFD90-\uFD91\uFDC8-\uFDCE\u{10940}-\u{10959}\u{10EC5}-\u{10EC7}\u{10ED0}-\u{10ED8}\u{10EFA}-\u{10EFB}\u{11B60}-\u{11B67}\u{11DB0}-\u{11DDB}\u{11DE0}-\u{11DE9}\u{16EA0}-\u{16EB8}\u{16EBB}-\u{16ED3}\u{16FF2}-\u{16FF6}\u{187F8}-\u{187FF}\u{18D09}-\u{18D1E}\u{18D80}-\u{18DF2}\u{1CCFA}-\u{1CCFC}\u{1CEBA}-\u{1CED0}\u{1CEE0}-\u{1CEF0}\u{1E6C0}-\u{1E6DE}\u{1E6E0}-\u{1E6F5}\u{1E6FE}-\u{1E6FF}\u{1F6D8}\u{1F777}-\u{1F77A}\u{1F8D0}-\u{1F8D8}\u{1FA54}-\u{1FA57}\u{1FA8A}\u{1FA8E}\u{1FAC8}\u{1FACD}\u{1FAEA}\u{1FAEF}\u{1FBFA}\u{2B73A}-\u{2B73F}\u{2CEA2}-\u{2CEAD}\u{323B0}-\u{33479}]/gu;

/** Marks and letters that the reference neither reorders nor composes, because its normaliser is older than they. */
// prettier-ignore
const NOT_COMPOSED =
  // oxlint-disable-next-line no-misleading-character-class
  /([\u07FD\u0897-\u089F\u08CA-\u08D3\u09FE\u0C3C\u0D3B-\u0D3C\u0EBA\u1715\u1ABF-\u1ADD\u1AE0-\u1AEB\u1DF6-\u1DFA\uA82C\u{105D2}\u{105DA}\u{10D24}-\u{10D27}\u{10D69}-\u{10D6D}\u{10EAB}-\u{10EAC}\u{10EFA}-\u{10EFB}\u{10EFD}-\u{10EFF}\u{10F46}-\u{10F50}\u{10F82}-\u{10F85}\u{11070}\u{1133B}\u{11382}\u{11384}\u{1138B}\u{11390}\u{113B8}\u{113BB}\u{113C2}\u{113C9}\u{113CE}-\u{113D0}\u{1145E}\u{11839}-\u{1183A}\u{11930}\u{11935}\u{1193D}-\u{1193E}\u{11943}\u{119E0}\u{11A34}\u{11A47}\u{11A99}\u{11D42}\u{11D44}-\u{11D45}\u{11D97}\u{11F41}-\u{11F42}\u{1611E}-\u{16120}\u{16129}\u{1612F}\u{16D63}\u{16D67}\u{16FF0}-\u{16FF1}\u{1E08F}\u{1E130}-\u{1E136}\u{1E2AE}\u{1E2EC}-\u{1E2EF}\u{1E4EC}-\u{1E4EF}\u{1E5EE}-\u{1E5EF}\u{1E6E3}\u{1E6E6}\u{1E6EE}-\u{1E6EF}\u{1E6F5}])/u;

/** Private characters, of as many code units as those that they stand for. */
const [UNKNOWN, LARGE_UNKNOWN] = ["\uE000", "\u{F0000}"];

/** The text with characters that are unknown to the reference in the place of those; every position stays. */
export const asKnown = (text: string): string =>
  text.replace(NEWER, (character) => (character.length === 1 ? UNKNOWN : LARGE_UNKNOWN));

/** The parts of a text that match a pattern with the flag `g`. */
export const partsOf = (text: string, pattern: RegExp): string[] =>
  Array.from(asKnown(text).matchAll(pattern), ({ 0: part, index }) => text.slice(index, index + part.length));

/** All white space has one code unit. */
export const isSpace = (unit: string | undefined): boolean => /^\p{White_Space}$/u.test(unit ?? "");

/** Words consist of letters, marks, digits and connectors. */
export const endsWithWord = (text: string): boolean =>
  /[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\u200C\u200D]$/u.test(asKnown(text));

export const startsWithWord = (text: string): boolean =>
  /^[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\u200C\u200D]/u.test(asKnown(text));

/** Normalization form C. */
export const composed = (text: string): string =>
  text
    .split(NOT_COMPOSED)
    .map((part) => part.normalize("NFC"))
    .join("");

/** Character by character: JavaScript alone has another small letter for a capital sigma at the end of a word. */
export const lowerCase = (text: string): string => text.replaceAll("Σ", "σ").toLowerCase();
