/**
 * Parses bodies from outside: JSON in UTF-8, with bounded nesting and a bounded number of parts. No key may
 * appear twice, since two readers could then see two different requests. The content type does not matter:
 * clients send a wrong one, or none. Megabytes cost milliseconds, whatever they hold: no body may block the
 * whole server.
 */
import { isAscii, isUtf8 } from "node:buffer";
import { RetouchError, shownValue } from "../errors.ts";
import { sentenceOfBody } from "./body-kind.ts";

const MAX_DEPTH = 32;
/** Objects, lists and their members. Parsing millions of values takes seconds; an image is one string. */
const MAX_PARTS = 10_000;

const QUOTE = 0x22;
const COMMA = 0x2c;
const BACKSLASH = 0x5c;
const [OPEN_LIST, CLOSE_LIST] = [0x5b, 0x5d];
const [OPEN_OBJECT, CLOSE_OBJECT] = [0x7b, 0x7d];

/**
 * Parses a body.
 * @returns undefined for an empty one
 * @throws RetouchError INVALID_PARAMETER
 */
export function parseJsonBody(bytes: Buffer): unknown {
  if (bytes.byteLength === 0) return undefined;
  const text = decode(bytes);
  // Checked before parsing, as if the JSON were valid: invalid JSON is refused right after.
  const repeatedKey = findRepeatedKey(text);
  const value = parse(text, bytes);
  if (repeatedKey !== undefined) {
    throw invalid(`The body has the key ${shownValue(repeatedKey)} twice.`);
  }
  // Valid JSON in UTF-8 holds neither; only an escape can bring one in.
  if (text.includes("\\u") && hasBrokenText(value)) {
    throw invalid("The body has U+0000 or half of a surrogate pair in a string.");
  }
  return value;
}

/** Whether a value holds a string that JSON can express and the database cannot store. */
function hasBrokenText(value: unknown): boolean {
  // With the u flag, only an unpaired half matches as a surrogate.
  if (typeof value === "string") return value.includes("\0") || /\p{Surrogate}/u.test(value);
  if (typeof value !== "object" || value === null) return false;
  return Object.entries(value).some(([key, inner]) => hasBrokenText(key) || hasBrokenText(inner));
}

function decode(bytes: Buffer): string {
  if (isAscii(bytes)) return bytes.toString("latin1");
  if (!isUtf8(bytes)) throw invalid(sentenceOfBody(bytes) ?? "The body is not valid UTF-8.");
  return bytes.toString("utf8").replace(/^\uFEFF/, "");
}

function parse(text: string, bytes: Buffer): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    if (text.trim() === "") return undefined;
    // JSON.parse's own message quotes the body, which may hold anything.
    throw invalid(sentenceOfBody(bytes) ?? "The body is not valid JSON.");
  }
}

/** Looks at the structure alone: it skips strings, which may hold megabytes of image. */
function findRepeatedKey(text: string): string | undefined {
  /** The keys of each object around this position; undefined for a list. */
  const around: (Set<string> | undefined)[] = [];
  let repeated: string | undefined;
  let parts = 0;
  let isKeyNext = false;
  for (let index = 0; index < text.length; index += 1) {
    const character = text.charCodeAt(index);
    if (character === QUOTE) {
      const end = endOfText(text, index);
      const keys = around.at(-1);
      if (isKeyNext && keys) {
        const key = keyOf(text.slice(index, end + 1));
        if (keys.has(key)) repeated ??= key;
        keys.add(key);
      }
      isKeyNext = false;
      index = end;
    } else if (character === OPEN_OBJECT || character === OPEN_LIST || character === COMMA) {
      parts += 1;
      if (parts > MAX_PARTS) throw invalid(`The body has more than ${MAX_PARTS} values.`);
      if (character !== COMMA) around.push(character === OPEN_OBJECT ? new Set() : undefined);
      if (around.length > MAX_DEPTH) throw invalid(`The body is nested deeper than ${MAX_DEPTH} levels.`);
      isKeyNext = around.at(-1) !== undefined;
    } else if (character === CLOSE_OBJECT || character === CLOSE_LIST) around.pop();
  }
  return repeated;
}

/** Position of the quote that ends the string beginning at `start`, or the last position if there is none. */
function endOfText(text: string, start: number): number {
  const quote = text.indexOf('"', start + 1);
  if (quote === -1) return text.length - 1;
  if (text.charCodeAt(quote - 1) !== BACKSLASH) return quote;
  for (let index = start + 1; index < text.length; index += 1) {
    const character = text.charCodeAt(index);
    if (character === BACKSLASH) index += 1;
    else if (character === QUOTE) return index;
  }
  return text.length - 1;
}

/** A key can be written in several ways, such as `"a"` and `"\u0061"`. */
function keyOf(quoted: string): string {
  try {
    return quoted.includes("\\") ? (JSON.parse(quoted) as string) : quoted.slice(1, -1);
  } catch {
    return quoted;
  }
}

const invalid = (sentence: string): RetouchError => new RetouchError("INVALID_PARAMETER", sentence);
