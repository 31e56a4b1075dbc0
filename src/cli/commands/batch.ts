/** `retouch batch` on the command line. */
import { EDIT_PARAMETERS } from "../../index.ts";
import { addLora } from "../arguments.ts";
import type { BatchFlags } from "../batch/run.ts";
import { rangeText } from "../surfaces.ts";
import { command, option } from "./command.ts";
import { COMPUTE_OPTIONS, NETWORK_OPTIONS } from "./network-options.ts";

const { isSafetyChecked, loras } = EDIT_PARAMETERS;

export const BATCH = command<BatchFlags>({
  name: "batch",
  summary: "run the edits listed in a file, resuming after an interruption",
  description:
    "Run the edits listed in a file, one JSON object per line, each exactly once: after an interruption the same command continues.",
  arguments: [
    {
      name: "<jobs>",
      description:
        "a file of JSON lines with the fields of the HTTP API (image, prompt, ...) and output; paths start at its folder",
    },
  ],
  options: [
    option("-o, --output <dir>", "the folder for results, journal and summary").makeOptionMandatory(),
    option("--overwrite", "let results replace files that this batch did not make"),
    option("--from-original", "set from_original on lines that do not have it"),
    option("--history", "remember the edits, for --from-original (default: as RETOUCH_HISTORY says)"),
    option("--dry-run", "check everything and list the edits, but make none"),
    ...NETWORK_OPTIONS,
    option(
      loras.flag,
      `a LoRA that lines may use, in a .safetensors file, and its strength on lines without loras, ${rangeText(loras.scale)} (default: ${loras.scale.default}); up to ${loras.max} times`,
      addLora,
    ),
    ...COMPUTE_OPTIONS,
    option(isSafetyChecked.flag, "do not check results for pornography (default: refuse them)"),
    option("--json", "print one line of JSON for each edit"),
    option("--quiet", "print nothing but errors"),
  ],
  stopSentence:
    "Stopping after the current step; the same command continues from there. Press Ctrl-C again to stop at once.",
  run: async ({ arguments: [file], flags, signal }) =>
    (await import("../batch/commands.ts")).runBatchFile(file!, flags, signal),
});
