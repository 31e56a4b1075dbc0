/** `retouch review approve` and `retouch review reject` on the command line. */
import type { Verdict } from "../../../service/held-pictures.ts";
import type { ReviewFlags } from "../../review.ts";
import { serviceOptions } from "../../service-flags.ts";
import { type Command, command, JSON_OPTION, option } from "../command.ts";
import { JOB_ARGUMENT } from "./show.ts";

const decision = (name: string, description: string, verdict: Verdict): Command =>
  command<ReviewFlags & { reason?: string }>({
    name,
    description,
    arguments: [JOB_ARGUMENT],
    options: [
      option("--reason <text>", "why, for the log, at most 1000 characters"),
      JSON_OPTION,
      ...serviceOptions(["dataDir"]),
    ],
    run: async ({ arguments: [id], flags }) =>
      (await import("../../review.ts")).runReviewDecide(id!, verdict, flags),
  });

export const REVIEW_APPROVE = decision(
  "approve",
  "Release a held result: its job is completed as if it had never been held.",
  "approved",
);
export const REVIEW_REJECT = decision(
  "reject",
  "Refuse a held result: its job fails, and its pictures are deleted.",
  "rejected",
);
