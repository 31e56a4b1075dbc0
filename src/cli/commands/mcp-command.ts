/** The command line of `retouch mcp`. */
import type { Command } from "commander";
import { addFile } from "../arguments.ts";
import { parseHosts } from "../hosts-argument.ts";
import type { McpFlags } from "../mcp.ts";
import type { CommandContext } from "./context.ts";
import { addComputeOptions, addNetworkOptions } from "./network-options.ts";

export function addMcpCommand(program: Command, { signal }: CommandContext): void {
  const mcp = program
    .command("mcp")
    .summary("offer the edit as a tool to a model, on standard input and output")
    .description("Offer the edit as a tool of the Model Context Protocol, on standard input and output.")
    .helpOption("-h, --help", "print this help")
    .option(
      "--root <dir>",
      "the folder in which pictures are read and results are written (default: the working folder)",
    )
    .option(
      "--allow-private-hosts <list>",
      "hosts, host:port, addresses and networks that a picture's address may name although they are not public",
      parseHosts,
    )
    .option("--overwrite", "let results replace files that this server did not make");
  addNetworkOptions(mcp).option(
    "--lora <file>",
    "a LoRA that the model may choose, in a .safetensors file; several times",
    addFile,
  );
  addComputeOptions(mcp)
    .option("--no-safety-checker", "do not check results for pornography (default: refuse them)")
    .action(async (flags: McpFlags) => {
      const { runMcp } = await import("../mcp.ts");
      return runMcp(flags, signal);
    });
}
