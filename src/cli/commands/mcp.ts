/** `retouch mcp` on the command line. */
import { addFile } from "../arguments.ts";
import { parseHosts } from "../hosts-argument.ts";
import type { McpFlags } from "../mcp.ts";
import { command, option } from "./command.ts";
import { COMPUTE_OPTIONS, NETWORK_OPTIONS } from "./network-options.ts";

export const MCP = command<McpFlags>({
  name: "mcp",
  summary: "offer editing to a model as an MCP tool, on standard input and output",
  description: "Offer editing as a Model Context Protocol tool, on standard input and output.",
  options: [
    option(
      "--root <dir>",
      "the folder from which images are read and into which results are written (default: the working folder)",
    ),
    option(
      "--allow-private-hosts <list>",
      "hosts, host:port, addresses and networks that image URLs may use although they are not public",
      parseHosts,
    ),
    option("--history", "remember edits, for from_original (default: as RETOUCH_HISTORY says)"),
    option("--overwrite", "let results replace files that this server did not make"),
    ...NETWORK_OPTIONS,
    option(
      "--lora <file>",
      "a LoRA that the model may choose, in a .safetensors file; can be repeated",
      addFile,
    ),
    ...COMPUTE_OPTIONS,
    option("--no-safety-checker", "do not check results for pornography (default: refuse them)"),
  ],
  run: async ({ flags, signal }) => (await import("../mcp.ts")).runMcp(flags, signal),
});
