/** `retouch review list` on the command line. */
import type { ReviewFlags } from "../../review.ts";
import { serviceOptions } from "../../service-flags.ts";
import { command, JSON_OPTION } from "../command.ts";

export const REVIEW_LIST = command<ReviewFlags>({
  name: "list",
  description:
    "List the results that wait for a decision, the oldest first; a star is a score that was flagged.",
  options: [JSON_OPTION, ...serviceOptions(["dataDir"])],
  run: async ({ flags }) => (await import("../../review.ts")).runReviewList(flags),
});
