/** `retouch quantize` on the command line. */
import { parseWeights } from "../arguments.ts";
import type { QuantizeFlags } from "../quantize.ts";
import { command, option } from "./command.ts";
import { CHECKPOINT, TEXT_ENCODER, TRANSFORMER } from "./network-options.ts";

export const QUANTIZE = command<QuantizeFlags>({
  name: "quantize",
  summary: "convert a checkpoint's weights ahead of their first use",
  description:
    "Convert the transformer and the text encoder (T5 or Qwen3) of a checkpoint once; edits with the same --weights then find them.",
  options: [
    option("--weights <kind>", "fp16, bf16, int8 or int4", parseWeights).makeOptionMandatory(),
    CHECKPOINT,
    TRANSFORMER,
    TEXT_ENCODER,
    option("--json", "print one line of JSON, with the error of every rounded weight"),
    option("--quiet", "print nothing but errors"),
  ],
  stopSentence: "Stopping; unfinished files are removed. Press Ctrl-C again to stop at once.",
  run: async ({ flags, signal }) => (await import("../quantize.ts")).runQuantize(flags, signal),
});
