/** `retouch review`: the commands under it. */
import type { CommandGroup } from "../command.ts";
import { REVIEW_APPROVE, REVIEW_REJECT } from "./decide.ts";
import { REVIEW_LIST } from "./list.ts";
import { REVIEW_LOG } from "./log.ts";
import { REVIEW_SHOW } from "./show.ts";

export const REVIEW: CommandGroup = {
  name: "review",
  summary: "decide on results that the safety checker held",
  description:
    "Decide on results that the safety checker held, beside a running server or one that ran before.",
  commands: [REVIEW_LIST, REVIEW_SHOW, REVIEW_APPROVE, REVIEW_REJECT, REVIEW_LOG],
};
