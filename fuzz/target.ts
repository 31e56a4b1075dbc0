/** What a fuzzed parser is: how its inputs are made, how it is fed, and what may come of it. */
import type { ErrorCode } from "../src/errors.ts";
import type { Random } from "./random.ts";

export interface Target {
  /** As `--only` and `--replay` take it. */
  name: string;
  /** The function or route that reads the bytes, and its file. */
  parser: string;
  /** The refusals that are right: RetouchErrors with these codes. */
  codes: readonly ErrorCode[];
  /** The most memory that the process may hold after a garbage collection, in MiB. @default 400 */
  maxMiB?: number;
  /** The most memory that it may hold while it works on one input, in MiB. @default 1000 */
  maxPeakMiB?: number;
  /** @param folder of its own, for files that the parser reads */
  prepare(folder: string): Promise<Prepared>;
}

/** A parser that is ready to be fed. */
export interface Prepared<Input = unknown> {
  generate(random: Random): Input;
  /** Feeds one input. @throws what the parser throws, or a Violation */
  feed(input: Input): unknown;
  /** Shows an input to people. @default util.inspect */
  show?(input: Input): string;
  close?(): Promise<void>;
}

/** Something that must not be, although the parser did not throw. */
export class Violation extends Error {
  override readonly name = "Violation";
}

/** Declares a parser whose inputs are of one type. */
export function target<Input>(
  fields: Omit<Target, "prepare">,
  prepare: (folder: string) => Promise<Prepared<Input>> | Prepared<Input>,
): Target {
  return { ...fields, prepare: async (folder) => (await prepare(folder)) as Prepared };
}

/** @throws Violation if it does not hold */
export function expect(holds: boolean, otherwise: string): asserts holds {
  if (!holds) throw new Violation(otherwise);
}

/** Names that every object inherits, which no parser may take for a field, and no input may change. */
const INHERITED = JSON.stringify(Reflect.ownKeys(Object.prototype).map(String));

/** @throws Violation if an input has changed what all objects inherit */
export function expectCleanPrototype(): void {
  expect(
    JSON.stringify(Reflect.ownKeys(Object.prototype).map(String)) === INHERITED,
    "Object.prototype was changed",
  );
}
