/** The command line of `retouch mcp`. */
import type { Command } from "commander";
import { addFile } from "../arguments.ts";
import type { McpFlags } from "../mcp.ts";
import type { CommandContext } from "./context.ts";
import { addComputeOptions, addNetworkOptions } from "./network-options.ts";

export function addMcpCommand(program: Command, { signal }: CommandContext): void {
  const mcp = program
    .command("mcp")
    .summary("offer the edit as a tool to a model, on standard input and output")
    .description("Offer the edit as a tool of the Model Context Protocol, on standard input and output.")
    .helpOption("-h, --help", "print this help");
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
