/** What one setting is; the tables of settings are beside this file, and `settings.ts` combines them. */
import type { Parser } from "./parsers.ts";

/** One variable. Its default is a string like any other, so that it is read and shown in the same way. */
export interface Setting<Value> {
  variable: string;
  parser: Parser<Value>;
  default?: string | undefined;
  /** What `.env.example` shows if there is no default. */
  example?: string | undefined;
  meaning: string;
  /** Never shown in sentences or logs. */
  isSecret?: boolean | undefined;
  /** Whether the variable with `_FILE` appended may name a file with the value: true for every secret. */
  isFromFile?: boolean | undefined;
}

export interface RequiredSetting<Value> extends Setting<Value> {
  default: string;
}

export type Settings = Record<string, Setting<unknown>>;

/** A setting that always has a value. */
export function required<Value>(
  variable: string,
  parser: Parser<Value>,
  byDefault: string,
  meaning: string,
): RequiredSetting<Value> {
  return { variable, parser, default: byDefault, meaning };
}

/** A setting that may be left out. */
export function optional<Value>(
  variable: string,
  parser: Parser<Value>,
  example: string,
  meaning: string,
): Setting<Value> {
  return { variable, parser, example, meaning };
}

/** A setting that may be left out, and may come from a file because it is stored alongside its secret. */
export function besideSecret<Value>(
  variable: string,
  parser: Parser<Value>,
  example: string,
  meaning: string,
): Setting<Value> {
  return { variable, parser, example, meaning, isFromFile: true };
}

/** A setting that may be left out, may come from a file, and is never shown. */
export function secret(
  variable: string,
  parser: Parser<string>,
  example: string,
  meaning: string,
): Setting<string> {
  return { variable, parser, example, meaning, isSecret: true, isFromFile: true };
}
