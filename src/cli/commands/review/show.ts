/** `retouch review show` on the command line. */
import type { ReviewFlags } from "../../review.ts";
import { serviceOptions } from "../../service-flags.ts";
import { command, JSON_OPTION, option } from "../command.ts";

/** Argument of every command about one held result. */
export const JOB_ARGUMENT = {
  name: "<id>",
  description: "the job's id, as `retouch review list` shows it",
} as const;

export const REVIEW_SHOW = command<ReviewFlags & { output?: string }>({
  name: "show",
  description: "Print what is known of a held result, and save its pictures with -o.",
  arguments: [JOB_ARGUMENT],
  options: [
    option("-o, --output <file>", "where to save the picture; of several, FILE-1, FILE-2 and so on"),
    JSON_OPTION,
    ...serviceOptions(["dataDir"]),
  ],
  run: async ({ arguments: [id], flags }) => (await import("../../review.ts")).runReviewShow(id!, flags),
});
