/** The options that settle what a key may do. */
import { option } from "../command.ts";

export const OPERATOR = option(
  "--operator",
  "an operator's key: it also sees and decides what concerns all keys",
);
export const SAFETY_THRESHOLD = option(
  "--safety-threshold <score>",
  "score from which its results are flagged, 0 to 1, or default for that of the settings",
);
