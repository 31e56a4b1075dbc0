/** The program: all commands, how a wrong command line is refused, and which help the refusal points to. */
import { Argument, Command as Commander, CommanderError } from "commander";
import { version } from "../version.ts";
import type { Command, CommandGroup } from "./commands/command.ts";
import { BATCH } from "./commands/batch.ts";
import { CALIBRATE } from "./commands/calibrate.ts";
import { DOCTOR } from "./commands/doctor.ts";
import { EDIT } from "./commands/edit.ts";
import { KEYS } from "./commands/keys/keys.ts";
import { MCP } from "./commands/mcp.ts";
import { PULL } from "./commands/pull.ts";
import { QUANTIZE } from "./commands/quantize.ts";
import { REVIEW } from "./commands/review/review.ts";
import { SERVE } from "./commands/serve.ts";
import { VERIFY } from "./commands/verify.ts";
import { WORKER } from "./commands/worker.ts";

/** In the order in which the help lists them. */
export const COMMANDS: readonly (Command | CommandGroup)[] = [
  EDIT,
  BATCH,
  SERVE,
  WORKER,
  VERIFY,
  MCP,
  PULL,
  QUANTIZE,
  CALIBRATE,
  DOCTOR,
  KEYS,
  REVIEW,
];

/** What the process gives its commands. */
export interface CommandContext {
  /** Ends when the user or the system asks for it; the name of what was sent is the `signal` of its reason. */
  readonly signal: AbortSignal;
  /** Sets the sentence shown at that moment. */
  setStopSentence(sentence: string): void;
}

/** A command line that no command accepts; its message is the sentence for the user. */
export class UsageError extends Error {}

/**
 * Creates the program with its commands.
 * @returns what runs a command line: it throws {@link UsageError}, and CommanderError if help or version was
 * printed
 */
export function createProgram(context: CommandContext, commands = COMMANDS): Commander {
  const program = new Commander("retouch")
    .description("Edit images by instruction with FLUX.1 Kontext or FLUX.2 [klein], on your own machine.")
    .version(version, "-V, --version", "print the version")
    .helpOption("-h, --help", "print this help")
    .helpCommand(false)
    .configureHelp({ subcommandTerm: (made) => `${made.name()} ${made.usage()}` })
    .exitOverride()
    .configureOutput({ outputError: () => {} });
  for (const one of commands) add(program, one, context);
  refuseByName(program, "retouch");
  return program;
}

function add(parent: Commander, definition: Command | CommandGroup, context: CommandContext): void {
  const { name, summary, description } = definition;
  const made = parent.command(name).description(description).helpOption("-h, --help", "print this help");
  if (summary !== undefined) made.summary(summary);
  if ("commands" in definition) {
    made.helpCommand(false);
    for (const inner of definition.commands) add(made, inner, context);
    return;
  }
  addArguments(made, definition);
  for (const option of definition.options ?? []) made.addOption(option);
  made.action(() => {
    if (definition.stopSentence !== undefined) context.setStopSentence(definition.stopSentence);
    return definition.run({
      arguments: made.processedArgs.flat(),
      flags: made.opts(),
      signal: context.signal,
    });
  });
}

/** commander takes several values for the last argument alone; where another one repeats, the last stands for all. */
function addArguments(made: Commander, { arguments: given = [] }: Command): void {
  const all = given.map(({ name, description }) => new Argument(name, description));
  if (all.slice(0, -1).every(({ variadic }) => !variadic)) {
    for (const one of all) made.addArgument(one);
    return;
  }
  made.argument(`<${all.at(-1)!.name()}...>`);
  made.usage(["[options]", ...given.map(({ name }) => name)].join(" "));
  made.configureHelp({ visibleArguments: () => all });
}

/** Makes errors of a command and its subcommands name it: commander's own do not say which one failed. */
function refuseByName(command: Commander, name: string): void {
  command.exitOverride((error) => {
    // Help and version, whether requested or printed because a command is missing.
    if (error.exitCode === 0 || error.code === "commander.help") throw error;
    throw new UsageError(usageSentence(error, name), { cause: error });
  });
  for (const inner of command.commands) refuseByName(inner, `${name} ${inner.name()}`);
}

function usageSentence({ message }: CommanderError, name: string): string {
  const what = message
    .replace(/^error: /, "")
    .trimEnd()
    .replace(/\.$/, "");
  return `${what}; see ${name} --help.`;
}
