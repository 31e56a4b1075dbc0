/**
 * Bodies from outside: JSON in UTF-8, not nested deeper and of no more parts than anyone needs, and no key twice, since
 * then two readers may see two different requests. The content type does not matter: clients send bodies with others,
 * or none. All of it costs milliseconds for megabytes, whatever they are: a body must not stop the whole server.
 */
import { isAscii, isUtf8 } from "node:buffer";
import { RetouchError, shownValue } from "../errors.ts";

const MAX_DEPTH = 32;
/** Objects, lists, and what is in them. Parsing millions of small values takes seconds; pictures are one text each. */
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
  // Before anything is built of it, and as if it were valid: what is not, is refused right after.
  const repeatedKey = findRepeatedKey(text);
  const value = parse(text);
  if (repeatedKey !== undefined) {
    throw invalid(`The body has the key ${shownValue(repeatedKey)} twice.`);
  }
  // Bytes that are UTF-8 hold neither; only an escape can bring them in.
  if (text.includes("\\u") && hasBrokenText(value)) {
    throw invalid("The body has U+0000 or half of a surrogate pair in a string.");
  }
  return value;
}

/** Texts that JSON can write and no database keeps. */
function hasBrokenText(value: unknown): boolean {
  // Read by characters, only a half that stands alone is a surrogate.
  if (typeof value === "string") return value.includes("\0") || /\p{Surrogate}/u.test(value);
  if (typeof value !== "object" || value === null) return false;
  return Object.entries(value).some(([key, inner]) => hasBrokenText(key) || hasBrokenText(inner));
}

function decode(bytes: Buffer): string {
  if (isAscii(bytes)) return bytes.toString("latin1");
  if (!isUtf8(bytes)) throw invalid("The body is not valid UTF-8.");
  return bytes.toString("utf8").replace(/^\uFEFF/, "");
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    if (text.trim() === "") return undefined;
    // The engine's own message quotes the body, which may hold anything.
    throw invalid("The body is not valid JSON.");
  }
}

/** Looks at the structure alone: texts, which hold megabytes of pictures, are jumped over. */
function findRepeatedKey(text: string): string | undefined {
  /** The keys of each object around this place; undefined for a list. */
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

/** Position of the quote that ends the text which begins at `start`, or the last position where none does. */
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

/** A key may be written in several ways, `"a"` and `"\u0061"`. */
function keyOf(quoted: string): string {
  try {
    return quoted.includes("\\") ? (JSON.parse(quoted) as string) : quoted.slice(1, -1);
  } catch {
    return quoted;
  }
}

const invalid = (sentence: string): RetouchError => new RetouchError("INVALID_PARAMETER", sentence);
