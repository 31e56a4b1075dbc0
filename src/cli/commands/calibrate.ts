/** `retouch calibrate` on the command line. */
import { LEAST_EDITS } from "../../index.ts";
import type { CalibrateFlags } from "../calibrate.ts";
import { command, JSON_OPTION, option } from "./command.ts";
import { COMPUTE_OPTIONS, NETWORK_OPTIONS } from "./network-options.ts";

export const CALIBRATE = command<CalibrateFlags>({
  name: "calibrate",
  summary: "find out how far --acceleration may go with a checkpoint",
  description:
    "Find out how far --acceleration may go with a checkpoint: makes edits in float32 on the processor, then the same with " +
    "steps left out, and with the given --weights and --device. The outcome is kept in the cache folder, for this checkpoint's content.",
  arguments: [
    {
      name: "[edits]",
      description: `a file of at least ${LEAST_EDITS} edits in the format of retouch batch, ideally of your own pictures (default: 80 edits of the pictures in this package)`,
    },
  ],
  options: [
    ...NETWORK_OPTIONS,
    ...COMPUTE_OPTIONS,
    JSON_OPTION,
    option("--quiet", "print nothing but errors"),
  ],
  stopSentence: "Stopping; nothing is kept. Press Ctrl-C again to stop at once.",
  run: async ({ arguments: [file], flags, signal }) =>
    (await import("../calibrate.ts")).runCalibrate(file, flags, signal),
});
