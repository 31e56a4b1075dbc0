/**
 * Characters as the reference sees them. Its regular expressions know Unicode 16, its normaliser an edition before 13,
 * and Node the newest: what they disagree on is listed here, in hexadecimal ranges. `test/tokenizers/unicode.test.ts`
 * compares every character.
 */

/** Assigned in Unicode 17: neither letter nor number nor part of a word for the reference. */
const NEWER = classOf(
  "88f c5c cdc 1acf-1add 1ae0-1aeb 20c1 2b96 a7ce-a7cf a7d2 a7d4 a7f1 fbc3-fbd2 fd90-fd91 fdc8-fdce " +
    "10940-10959 10ec5-10ec7 10ed0-10ed8 10efa-10efb 11b60-11b67 11db0-11ddb 11de0-11de9 16ea0-16eb8 " +
    "16ebb-16ed3 16ff2-16ff6 187f8-187ff 18d09-18d1e 18d80-18df2 1ccfa-1ccfc 1ceba-1ced0 1cee0-1cef0 " +
    "1e6c0-1e6de 1e6e0-1e6f5 1e6fe-1e6ff 1f6d8 1f777-1f77a 1f8d0-1f8d8 1fa54-1fa57 1fa8a 1fa8e 1fac8 " +
    "1facd 1faea 1faef 1fbfa 2b73a-2b73f 2cea2-2cead 323b0-33479",
);

/** Marks and letters that the reference neither reorders nor composes, because its normaliser is older than they. */
const NOT_COMPOSED = classOf(
  "7fd 897-89f 8ca-8d3 9fe c3c d3b-d3c eba 1715 1abf-1add 1ae0-1aeb 1df6-1dfa a82c 105d2 105da 10d24-10d27 " +
    "10d69-10d6d 10eab-10eac 10efa-10efb 10efd-10eff 10f46-10f50 10f82-10f85 11070 1133b 11382 11384 1138b " +
    "11390 113b8 113bb 113c2 113c9 113ce-113d0 1145e 11839-1183a 11930 11935 1193d-1193e 11943 119e0 11a34 " +
    "11a47 11a99 11d42 11d44-11d45 11d97 11f41-11f42 1611e-16120 16129 1612f 16d63 16d67 16ff0-16ff1 1e08f " +
    "1e130-1e136 1e2ae 1e2ec-1e2ef 1e4ec-1e4ef 1e5ee-1e5ef 1e6e3 1e6e6 1e6ee-1e6ef 1e6f5",
);

/** Sources of regular expressions with the flag `u`, each for one character. */
export const SPACE = "\\p{White_Space}";
export const LETTER = `(?:(?!${NEWER})\\p{L})`;
export const NUMBER = `(?:(?!${NEWER})\\p{N})`;
/** Neither white space nor a letter nor a number. */
export const OTHER = `(?:[^\\p{White_Space}\\p{L}\\p{N}]|${NEWER})`;
/** A letter, mark, digit or connector, of which words consist. */
export const WORD = `(?:(?!${NEWER})[\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\u200C\\u200D])`;

const BOUNDARY = new RegExp(`(${NOT_COMPOSED})`, "u");

/** Normalization form C. */
export const composed = (text: string): string =>
  text
    .split(BOUNDARY)
    .map((part) => part.normalize("NFC"))
    .join("");

/** Character by character: JavaScript alone has another small letter for a capital sigma at the end of a word. */
export const lowerCase = (text: string): string => text.replaceAll("Σ", "σ").toLowerCase();

function classOf(ranges: string): string {
  const escape = (hex: string): string => `\\u{${hex}}`;
  return `[${ranges
    .split(" ")
    .map((range) => range.split("-").map(escape).join("-"))
    .join("")}]`;
}
