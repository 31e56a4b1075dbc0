/** The command line of `retouch edit`. */
import type { Command } from "commander";
import { addLora, numberOf, parseFormat, parseSize } from "../arguments.ts";
import { type EditFlags, runEdit } from "../edit.ts";
import type { CommandContext } from "./context.ts";
import { addComputeOptions, addNetworkOptions } from "./network-options.ts";

export function addEditCommand(program: Command, { signal }: CommandContext): void {
  const edit = program
    .command("edit")
    .summary("edit one picture")
    .description("Edit one picture.")
    .helpOption("-h, --help", "print this help")
    .argument("<image>", "a path, an http(s) or data URL, or - for standard input")
    .argument("<prompt>", "what to change, in quotes; 1 to 4,000 characters")
    .option(
      "-o, --output <file>",
      "where the result goes, - for standard output (default: NAME.edited.png here)",
    )
    .option("--negative-prompt <text>", "what to steer away from; doubles the time of a step")
    .option(
      "--true-cfg-scale <number>",
      "strength of the negative prompt, 1 to 10 (default: 2)",
      numberOf("trueCfgScale"),
    )
    .option(
      "--size <WxH>",
      "size of the result, 16 to 4096 a side (default: the picture's, at most 1536)",
      parseSize,
    )
    .option("--steps <number>", "1 to 50 (default: 28)", numberOf("numSteps"))
    .option(
      "--guidance <number>",
      "how closely the prompt is followed, 0 to 10 (default: 2)",
      numberOf("guidance"),
    )
    .option("--seed <number>", "repeats an edit; -1 chooses one at random (default: -1)", numberOf("seed"))
    .option("--format <format>", "png or jpeg (default: by the name in -o, or png)", parseFormat);
  addNetworkOptions(edit).option(
    "--lora <file[:scale]>",
    "a LoRA in a .safetensors file and its strength, -10 to 10 (default: 1); up to 4 times",
    addLora,
  );
  addComputeOptions(edit)
    .option("--keep-unchanged", "keep the picture's own pixels where nothing was edited (the default)")
    .option("--no-keep-unchanged", "take all of the result from the network")
    .option("--no-safety-checker", "do not check the result for pornography (default: refuse it)")
    .option("--json", "print the result as one line of JSON")
    .option("--quiet", "print nothing but errors")
    .action((image: string, prompt: string, flags: EditFlags) => runEdit(image, prompt, flags, signal));
}
