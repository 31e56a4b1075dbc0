/** The command lines of `retouch pull`, `quantize` and `doctor`: about checkpoints, before anything is edited. */
import type { Command } from "commander";
import { parseMemory, parseWeights } from "../arguments.ts";
import type { DoctorFlags } from "../doctor/doctor.ts";
import type { PullFlags } from "../pull.ts";
import type { QuantizeFlags } from "../quantize.ts";
import type { CommandContext } from "./context.ts";
import {
  addCheckpointOption,
  addNetworkOptions,
  addTextEncoderOption,
  addTransformerOption,
} from "./network-options.ts";

const STOP_OF_PULL =
  "Stopping; what has come stays, and the same command goes on from there; once more stops at once.";
const STOP_OF_CONVERSION = "Stopping; nothing of an unfinished file stays; once more stops at once.";

export function addCheckpointCommands(program: Command, context: CommandContext): void {
  addPull(program, context);
  addQuantize(program, context);
  addDoctor(program);
}

function addPull(program: Command, { signal, setStopSentence }: CommandContext): void {
  program
    .command("pull")
    .summary("download a checkpoint from the Hugging Face hub")
    .description("Download a checkpoint into the cache of Hugging Face's tools, or go on with a download.")
    .helpOption("-h, --help", "print this help")
    .argument("[repo]", "org/name (default: black-forest-labs/FLUX.1-Kontext-dev)")
    .option("--revision <revision>", "a branch, a tag or a commit (default: main)")
    .option("--cache-dir <dir>", "the cache folder (default: HF_HUB_CACHE, or where it is without)")
    .option("--accept-license", "accept the licence of the weights, which is shown, without being asked")
    .option("--json", "print the result as one line of JSON")
    .option("--quiet", "print nothing but the folder, and errors")
    .action(async (repo: string | undefined, flags: PullFlags) => {
      setStopSentence(STOP_OF_PULL);
      const { runPull } = await import("../pull.ts");
      return runPull(repo, flags, signal);
    });
}

function addQuantize(program: Command, { signal, setStopSentence }: CommandContext): void {
  const quantize = program
    .command("quantize")
    .summary("convert a checkpoint's weights ahead of their first use")
    .description("Convert transformer and T5 of a checkpoint, once; edits with the same --weights find them.")
    .helpOption("-h, --help", "print this help")
    .requiredOption("--weights <kind>", "fp16, bf16, int8 or int4", parseWeights);
  addTextEncoderOption(addTransformerOption(addCheckpointOption(quantize)))
    .option("--json", "print one line of JSON, with the error of every rounded weight")
    .option("--quiet", "print nothing but errors")
    .action(async (flags: QuantizeFlags) => {
      setStopSentence(STOP_OF_CONVERSION);
      const { runQuantize } = await import("../quantize.ts");
      return runQuantize(flags, signal);
    });
}

function addDoctor(program: Command): void {
  const doctor = program
    .command("doctor")
    .summary("say what this machine can run")
    .description("Say what this machine can run, with memory, disk and time, before anything is loaded.")
    .helpOption("-h, --help", "print this help");
  addNetworkOptions(doctor)
    .option("--model <repo>", "a published model that need not be here: black-forest-labs/FLUX.1-Kontext-dev")
    .option(
      "--memory-limit <size>",
      "memory to count on, such as 12GB (default: what the machine has left)",
      parseMemory,
    )
    .option("--json", "print one line of JSON")
    .action(async (flags: DoctorFlags) => {
      const { runDoctor } = await import("../doctor/doctor.ts");
      return runDoctor(flags);
    });
}
