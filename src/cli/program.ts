/** The program: all commands, how a wrong command line is refused, and which help its sentence points to. */
import { Command, CommanderError } from "commander";
import { version } from "../version.ts";
import { addCheckpointCommands } from "./commands/checkpoint-commands.ts";
import type { CommandContext } from "./commands/context.ts";
import { addEditCommand } from "./commands/edit-command.ts";
import { addKeysCommands } from "./commands/keys-commands.ts";
import { addMcpCommand } from "./commands/mcp-command.ts";
import { addServiceCommands } from "./commands/service-commands.ts";

/** A command line that no command takes; its message is the sentence for the user. */
export class UsageError extends Error {}

/**
 * Makes the program with all its commands.
 * @returns what runs a command line: it throws {@link UsageError}, and CommanderError where help or version was printed
 */
export function createProgram(context: CommandContext): Command {
  const program = new Command("retouch")
    .description("Edit pictures by instruction with FLUX.1 Kontext, on your own machine.")
    .version(version, "-V, --version", "print the version")
    .helpOption("-h, --help", "print this help")
    .helpCommand(false)
    .exitOverride()
    .configureOutput({ outputError: () => {} });
  addEditCommand(program, context);
  addServiceCommands(program, context);
  addMcpCommand(program, context);
  addCheckpointCommands(program, context);
  addKeysCommands(program);
  refuseByName(program, "retouch");
  return program;
}

/** Lets the errors of a command and of those under it name it: commander's own do not say whose they are. */
function refuseByName(command: Command, name: string): void {
  command.exitOverride((error) => {
    // Help and version, asked for or printed where a command is missing.
    if (error.exitCode === 0 || error.code === "commander.help") throw error;
    throw new UsageError(usageSentence(error, name), { cause: error });
  });
  for (const inner of command.commands) refuseByName(inner, `${name} ${inner.name()}`);
}

function usageSentence({ code, message }: CommanderError, name: string): string {
  const what = message
    .replace(/^error: /, "")
    .trimEnd()
    .replace(/\.$/, "");
  const isPromptLikely = code === "commander.excessArguments" && name === "retouch edit";
  return `${what}; ${isPromptLikely ? "put the prompt in quotes" : `see ${name} --help`}.`;
}
