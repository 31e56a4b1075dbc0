/**
 * Defines a command: how its command line is read, as data, and what it does. `program.ts` passes it to
 * commander.
 */
import { Option } from "commander";

/** What a command is run with. */
export interface Invocation<Flags> {
  /** In the order of the command's arguments; a missing optional one is undefined. Repeatable ones are all here. */
  arguments: readonly (string | undefined)[];
  flags: Flags;
  /** Ends when the user or the system asks for it. */
  signal: AbortSignal;
}

export interface Command<Flags = unknown> {
  name: string;
  /** For the list of commands, if shorter than the description. */
  summary?: string;
  description: string;
  /** `<name>` must be given, `[name]` may be; one that ends in dots any number of times. */
  arguments?: readonly { name: string; description: string }[];
  options?: readonly Option[];
  /** Sentence shown on interruption, if it differs from that of the other commands. */
  stopSentence?: string;
  /** @throws RetouchError with a sentence for the user; INVALID_PARAMETER is a wrong command line */
  run(invocation: Invocation<Flags>): Promise<void>;
}

/** Commands under one name. */
export interface CommandGroup extends Pick<Command, "name" | "summary" | "description"> {
  commands: readonly Command[];
}

/** Checks a command's flags against its `run`, then erases their type: the options define what is passed. */
export const command = <Flags>(definition: Command<Flags>): Command => definition as Command;

/** @param parse takes the argument and the value from earlier uses of the flag @throws RetouchError */
export function option<Value>(
  flags: string,
  description: string,
  parse?: (text: string, before: Value | undefined) => Value,
): Option {
  const made = new Option(flags, description);
  return parse === undefined ? made : made.argParser(parse);
}

export const JSON_OPTION = option("--json", "print one line of JSON");
