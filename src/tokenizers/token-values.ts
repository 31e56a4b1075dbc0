/** Tokens as files write them: a text, or an object with the text and how it is looked for. */
import type { AddedToken } from "./added-vocabulary.ts";
import { type Fields, invalid, isObject } from "./check-definition.ts";

/** A token from an object; what the file leaves open follows from `special` in the end. */
export class StoredToken {
  readonly content: string;
  readonly singleWord: boolean;
  readonly lstrip: boolean;
  readonly rstrip: boolean;
  readonly normalized: boolean | undefined;
  readonly special: boolean;

  constructor(fields: Omit<AddedToken, "normalized"> & { normalized: boolean | undefined }) {
    this.content = fields.content;
    this.singleWord = fields.singleWord;
    this.lstrip = fields.lstrip;
    this.rstrip = fields.rstrip;
    this.normalized = fields.normalized;
    this.special = fields.special;
  }
}

export type TokenValue = string | StoredToken;

/** Reads an object; unknown names in it are ignored. @throws RetouchError CHECKPOINT_INVALID naming file and field */
export function newToken(file: string, name: string, value: unknown): StoredToken {
  if (!isObject(value)) throw invalid(file, `${name} must be an object with its content`, value);
  const { content = "" } = value;
  if (typeof content !== "string") throw invalid(file, `${name}.content must be a text`, content);
  const flag = (field: string): boolean | undefined => {
    const found = value[field];
    if (found !== undefined && typeof found !== "boolean") {
      throw invalid(file, `${name}.${field} must be true or false`, found);
    }
    return found;
  };
  return new StoredToken({
    content,
    singleWord: flag("single_word") ?? false,
    lstrip: flag("lstrip") ?? false,
    rstrip: flag("rstrip") ?? false,
    normalized: flag("normalized"),
    special: flag("special") ?? false,
  });
}

/** An object is a token only if it says so; lists and objects of tokens are converted, too. */
export function convertToken(file: string, name: string, value: unknown): unknown {
  if (isTyped(value)) return newToken(file, name, value);
  if (Array.isArray(value)) {
    return value.map((item: unknown) => (isTyped(item) ? newToken(file, name, item) : item));
  }
  if (!isObject(value) || value instanceof StoredToken) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, isTyped(item) ? newToken(file, name, item) : item]),
  );
}

const isTyped = (value: unknown): value is Fields => isObject(value) && value["__type"] === "AddedToken";

/** Undefined if it is no token. */
export function contentOf(value: unknown): string | undefined {
  return typeof value === "string" ? value : value instanceof StoredToken ? value.content : undefined;
}

/** A text equals any token with that content. */
export function isSame(one: unknown, other: unknown): boolean {
  if (one instanceof StoredToken && other instanceof StoredToken) {
    const [a, b] = [asAdded(one), asAdded(other)];
    return (Object.keys(a) as (keyof AddedToken)[]).every((field) => a[field] === b[field]);
  }
  return contentOf(one) !== undefined && contentOf(one) === contentOf(other);
}

/** @param special whether it fills a role, or is listed as a special one */
export function asAdded(token: TokenValue, special = false): AddedToken {
  if (typeof token === "string") {
    return {
      content: token,
      singleWord: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: true,
    };
  }
  const isSpecial = token.special || special;
  return {
    content: token.content,
    singleWord: token.singleWord,
    lstrip: token.lstrip,
    rstrip: token.rstrip,
    normalized: token.normalized ?? !isSpecial,
    special: isSpecial,
  };
}
