/** Reads a JSON file of a checkpoint and hands out its fields with their types checked. */
import { readFile } from "node:fs/promises";
import { RetouchError } from "../errors.ts";

export class Config {
  readonly file: string;
  readonly fields: Readonly<Record<string, unknown>>;

  constructor(file: string, fields: Readonly<Record<string, unknown>>) {
    this.file = file;
    this.fields = fields;
  }

  /** @throws RetouchError CHECKPOINT_MISSING or CHECKPOINT_INVALID. */
  static async read(file: string): Promise<Config> {
    const text = await readFile(file, "utf8").catch((cause: unknown) => {
      throw new RetouchError("CHECKPOINT_MISSING", `The checkpoint file ${file} cannot be read.`, { cause });
    });
    let fields: unknown;
    try {
      fields = JSON.parse(text);
    } catch (cause) {
      throw new RetouchError("CHECKPOINT_INVALID", `The checkpoint file ${file} is no JSON.`, { cause });
    }
    if (typeof fields !== "object" || fields === null || Array.isArray(fields)) {
      throw new RetouchError("CHECKPOINT_INVALID", `The checkpoint file ${file} must hold a JSON object.`);
    }
    return new Config(file, fields as Record<string, unknown>);
  }

  /** The field as it stands in the file; null reads as absent. */
  get(name: string): unknown {
    return this.fields[name] ?? undefined;
  }

  number(name: string, fallback?: number): number {
    return this.#typed(name, "a number", (value) => typeof value === "number", fallback);
  }

  /** A whole number of at least 0. */
  wholeNumber(name: string, fallback?: number): number {
    const isWhole = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0;
    return this.#typed(name, "a whole number", isWhole, fallback);
  }

  /** A whole number of at least 1. */
  count(name: string, fallback?: number): number {
    const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 1;
    return this.#typed(name, "a whole number above 0", isCount, fallback);
  }

  boolean(name: string, fallback?: boolean): boolean {
    return this.#typed(name, "true or false", (value) => typeof value === "boolean", fallback);
  }

  string(name: string, fallback?: string): string {
    return this.#typed(name, "a text", (value) => typeof value === "string", fallback);
  }

  /** At least one whole number of at least 1. */
  counts(name: string, fallback?: readonly number[]): readonly number[] {
    const isList = (value: unknown): boolean =>
      Array.isArray(value) &&
      value.length > 0 &&
      value.every((item) => Number.isSafeInteger(item) && item >= 1);
    return this.#typed(name, "a list of whole numbers above 0", isList, fallback);
  }

  #typed<T>(name: string, wanted: string, isValid: (value: unknown) => boolean, fallback: T | undefined): T {
    const value = this.get(name) ?? fallback;
    if (!isValid(value)) {
      const found = value === undefined ? "is missing" : `is ${JSON.stringify(value)}`;
      throw new RetouchError(
        "CHECKPOINT_INVALID",
        `In ${this.file}, ${name} must be ${wanted} and ${found}.`,
      );
    }
    return value as T;
  }
}
