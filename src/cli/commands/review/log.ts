/** `retouch review log` on the command line. */
import type { ReviewFlags } from "../../review.ts";
import { serviceOptions } from "../../service-flags.ts";
import { command, JSON_OPTION } from "../command.ts";

export const REVIEW_LOG = command<ReviewFlags>({
  name: "log",
  description:
    "Print who decided what, newest first: of one job, or the last 100 entries (with --json 1000).",
  arguments: [{ name: "[id]", description: "of a job" }],
  options: [JSON_OPTION, ...serviceOptions(["dataDir"])],
  run: async ({ arguments: [id], flags }) => (await import("../../review.ts")).runReviewLog(id, flags),
});
