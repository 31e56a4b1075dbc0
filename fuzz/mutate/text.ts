/** Changes text: characters that parsers stumble over, numbers in odd spellings, repetition. */
import type { Random } from "../random.ts";

const MAX_LENGTH = 64 * 1024;
const CHARACTERS: readonly string[] = [
  ["\0", "\u0001", "\t", "\n", "\r", "\r\n", " ", "\u007f", "\u0085", "\u00a0", "\u00ad", "\u2028", "\u2029"],
  ["\ud800", "\udc00", "\udfff", "\u{1f600}", "\u{10ffff}", "\ufeff", "\uffff", "\ufdd0", "\u202e", "\u200d"],
  [
    "e\u0301",
    "\u0130",
    "\u00df",
    "\u0660",
    "\uff11",
    "\u2024",
    "\u3002",
    "%",
    "%00",
    "%2e",
    "%2F",
    "%ff",
    "%zz",
  ],
  [
    '"',
    "'",
    "`",
    "\\",
    "\\u0000",
    "\\ud800",
    "/",
    "//",
    "../",
    ".",
    "..",
    ":",
    ";",
    ",",
    "=",
    "==",
    "#",
    "?",
  ],
  [
    "&",
    "@",
    "[",
    "]",
    "[::1]",
    "{",
    "}",
    "(",
    ")",
    "*",
    "+",
    "-",
    "_",
    "~",
    "|",
    "<",
    ">",
    "$&",
    "${x}",
    "--",
  ],
].flat();
const NUMBERS: readonly string[] = [
  [
    "0",
    "-0",
    "1",
    "-1",
    "00",
    "01",
    "0x10",
    "0b1",
    "1e3",
    "1e999",
    "-1e999",
    "1e-999",
    ".5",
    "5.",
    "+1",
    " 1",
  ],
  ["NaN", "Infinity", "null", "true", "2147483648", "4294967296", "9007199254740993", "18446744073709551616"],
  ["99999999999999999999999999999999", "1_000", "1,5", "\u0661", "\uff11", "0.1.2", "1ms", "-"],
].flat();
const WORDS: readonly string[] = [
  ["__proto__", "constructor", "prototype", "toString", "hasOwnProperty", "length", "undefined", "null"],
  ["http://", "https://", "data:", "data:,", ";base64,", "file:///etc/passwd", "javascript:", "localhost"],
  ["127.0.0.1", "0x7f.1", "[::ffff:127.0.0.1]", "169.254.169.254", "Bearer ", "chunked", "utf-8", "../../"],
].flat();

type Mutator = (text: string, random: Random, corpus: readonly string[]) => string;

const replaced = (text: string, from: number, to: number, by: string): string =>
  text.slice(0, from) + by + text.slice(to);

const MUTATORS: readonly Mutator[] = [
  function insert(text, random) {
    const at = random.below(text.length + 1);
    return replaced(text, at, at, random.pick(CHARACTERS));
  },
  function replace(text, random) {
    const at = random.below(text.length + 1);
    return replaced(text, at, at + 1, random.pick(CHARACTERS));
  },
  function anyCharacter(text, random) {
    const at = random.below(text.length + 1);
    const code = random.below(random.pick([0x80, 0x100, 0x10000]));
    return replaced(text, at, at + random.below(2), String.fromCharCode(code));
  },
  function remove(text, random) {
    const at = random.below(text.length + 1);
    return replaced(text, at, at + random.few(64), "");
  },
  function cut(text, random) {
    return text.slice(0, random.below(text.length + 1));
  },
  function repeat(text, random) {
    const at = random.below(text.length + 1);
    return replaced(text, at, at, text.slice(at, at + random.few(16)).repeat(random.few(4096)));
  },
  function repeatCharacter(text, random) {
    const at = random.below(text.length + 1);
    return replaced(text, at, at, random.pick(CHARACTERS).repeat(random.few(4096)));
  },
  function oddNumber(text, random) {
    const numbers = [...text.matchAll(/\d+(?:\.\d+)?/g)];
    const given = numbers.length === 0 ? undefined : random.pick(numbers);
    const at = given?.index ?? random.below(text.length + 1);
    return replaced(text, at, at + (given?.[0].length ?? 0), random.pick(NUMBERS));
  },
  function insertWord(text, random) {
    const at = random.below(text.length + 1);
    return replaced(text, at, random.chance(0.5) ? text.length : at, random.pick(WORDS));
  },
  function splice(text, random, corpus) {
    const other = random.pick(corpus);
    return text.slice(0, random.below(text.length + 1)) + other.slice(random.below(other.length + 1));
  },
  function otherCase(text, random) {
    const at = random.below(text.length + 1);
    const part = text.slice(at, at + random.few(32));
    return replaced(text, at, at + part.length, random.chance(0.5) ? part.toUpperCase() : part.toLowerCase());
  },
  function swap(text, random) {
    const [a, b] = [random.below(text.length + 1), random.below(text.length + 1)].toSorted((x, y) => x - y);
    return text.slice(b) + text.slice(a, b) + text.slice(0, a);
  },
];

/** A text that a parser may stumble over, by itself. */
export const oddText = (random: Random): string =>
  random.pick(random.pick([CHARACTERS, NUMBERS, WORDS])).repeat(random.chance(0.05) ? random.few(4096) : 1);

/** Changes a text once or a few times. @param corpus whole inputs that parts may be taken from */
export function mutateText(text: string, random: Random, corpus: readonly string[] = [text]): string {
  let changed = text;
  for (let times = random.few(6); times > 0; times -= 1) {
    changed = random.pick(MUTATORS)(changed, random, corpus).slice(0, MAX_LENGTH);
  }
  return changed;
}

/** One of the corpus as it is, sometimes, or changed. */
export function textOf(corpus: readonly string[], random: Random): string {
  const text = random.pick(corpus);
  return random.chance(0.03) ? text : mutateText(text, random, corpus);
}
