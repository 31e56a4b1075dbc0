/** Reads a JSON file of a checkpoint and returns its fields with their types and ranges checked. */
import { RetouchError } from "../errors.ts";
import { MAX_TEXT_CHARACTERS } from "./limits.ts";
import { readSmallFile } from "./small-file.ts";

/** The smallest and the largest value that a number may have. */
export interface Range {
  min: number;
  max: number;
}

/** The most characters of a value that a sentence shows. */
const MAX_SHOWN_CHARACTERS = 100;

export class Config {
  readonly file: string;
  readonly fields: Readonly<Record<string, unknown>>;
  readonly #isNullKept: boolean;

  constructor(
    file: string,
    fields: Readonly<Record<string, unknown>>,
    { isNullKept = false }: { isNullKept?: boolean } = {},
  ) {
    this.file = file;
    this.fields = fields;
    this.#isNullKept = isNullKept;
  }

  /** @throws RetouchError CHECKPOINT_MISSING or CHECKPOINT_INVALID. */
  static async read(file: string): Promise<Config> {
    const bytes = await readSmallFile(file);
    let fields: unknown;
    try {
      fields = JSON.parse(bytes.toString("utf8"));
    } catch (cause) {
      throw new RetouchError("CHECKPOINT_INVALID", `The checkpoint file ${file} is not JSON.`, { cause });
    }
    if (typeof fields !== "object" || fields === null || Array.isArray(fields)) {
      throw new RetouchError("CHECKPOINT_INVALID", `The checkpoint file ${file} must hold a JSON object.`);
    }
    return new Config(file, fields as Record<string, unknown>);
  }

  /** The same fields, of which null is a value: a network's class is given it in place of its default. */
  withNulls(): Config {
    return new Config(this.file, this.fields, { isNullKept: true });
  }

  /** The field as it is in the file; null counts as absent, unless nulls are kept. */
  get(name: string): unknown {
    const value = Object.hasOwn(this.fields, name) ? this.fields[name] : undefined;
    return value === null && !this.#isNullKept ? undefined : value;
  }

  /** A field that Python asks only whether it is true: null, 0 and empty values are not. */
  truth(name: string, fallback: boolean): boolean {
    const value = this.get(name);
    if (value === undefined) return fallback;
    if (typeof value === "object" && value !== null) return Object.keys(value).length > 0;
    return Boolean(value);
  }

  /** Any finite number, not used as a count. JSON has no Infinity, but 1e999 is read as one. */
  number(name: string, fallback?: number): number {
    return this.#typed(name, "a number", Number.isFinite, fallback);
  }

  /** A number within a range. */
  numberWithin(name: string, { min, max }: Range, fallback?: number): number {
    const isWithin = (value: unknown): boolean => Number(value) >= min && Number(value) <= max;
    const isValid = (value: unknown): boolean => typeof value === "number" && isWithin(value);
    return this.#typed(name, `a number from ${min} to ${max}`, isValid, fallback);
  }

  /** A whole number from 0 to `max`. */
  wholeNumber(name: string, max: number, fallback?: number): number {
    return this.#typed(name, `a whole number from 0 to ${max}`, isWhole({ min: 0, max }), fallback);
  }

  /** A whole number from 1 to `max`. */
  count(name: string, max: number, fallback?: number): number {
    return this.#typed(name, `a whole number from 1 to ${max}`, isWhole({ min: 1, max }), fallback);
  }

  boolean(name: string, fallback?: boolean): boolean {
    return this.#typed(name, "true or false", (value) => typeof value === "boolean", fallback);
  }

  string(name: string, fallback?: string): string {
    const isText = (value: unknown): boolean =>
      typeof value === "string" && value.length <= MAX_TEXT_CHARACTERS;
    return this.#typed(name, `a text of at most ${MAX_TEXT_CHARACTERS} characters`, isText, fallback);
  }

  /** From 1 to `maxLength` whole numbers from 1 to `max`. */
  counts(name: string, { max, maxLength }: { max: number; maxLength: number }, fallback?: readonly number[]) {
    const isList = (value: unknown): boolean =>
      Array.isArray(value) &&
      value.length > 0 &&
      value.length <= maxLength &&
      value.every(isWhole({ min: 1, max }));
    const wanted = `a list of at most ${maxLength} whole numbers from 1 to ${max}`;
    return this.#typed<readonly number[]>(name, wanted, isList, fallback);
  }

  /** The refusal of a field's value. */
  invalid(name: string, wanted: string): RetouchError {
    const value = this.get(name);
    const found = value === undefined ? "is missing" : `is ${shownValue(value)}`;
    return new RetouchError("CHECKPOINT_INVALID", `In ${this.file}, ${name} must be ${wanted} and ${found}.`);
  }

  #typed<T>(name: string, wanted: string, isValid: (value: unknown) => boolean, fallback: T | undefined): T {
    const value = this.get(name) === undefined ? fallback : this.get(name);
    if (!isValid(value)) throw this.invalid(name, wanted);
    return value as T;
  }
}

/** Whether it is a JSON object. */
export const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Whether it is a whole number within a range. */
export const isWhole =
  ({ min, max }: Range) =>
  (value: unknown): value is number =>
    Number.isInteger(value) && (value as number) >= min && (value as number) <= max;

/** A value from a file as a sentence may show it: short, however deeply nested it is. */
export function shownValue(value: unknown): string {
  if (typeof value === "number") return String(value);
  const isSimple = (item: unknown): boolean => typeof item !== "object" || item === null;
  if (Array.isArray(value) && !(value.length <= 16 && value.every(isSimple))) return "a long or nested list";
  if (!isSimple(value) && !Array.isArray(value)) return "an object";
  const text = JSON.stringify(value);
  return text.length > MAX_SHOWN_CHARACTERS ? `${text.slice(0, MAX_SHOWN_CHARACTERS)}...` : text;
}
