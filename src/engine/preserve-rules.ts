/** What a request may say about what it preserves of its source. */
import { invalid } from "../errors.ts";
import { EDIT_PARAMETERS, type Preserve, type SizeRule } from "./edit-parameters.ts";

/** @throws RetouchError INVALID_PARAMETER: diffusers' sizes are whole tokens of a megapixel at most */
export function checkSourceSize(sizeRule: SizeRule | undefined): void {
  if (sizeRule === undefined || sizeRule === "exact") return;
  throw invalid("notTogether", { field: "size", other: "sizeRule" });
}

/**
 * What is preserved, by either of its names; by default nothing.
 * @throws RetouchError INVALID_PARAMETER if the two contradict each other
 */
export function preserveOf({
  preserve,
  isUnchangedKept,
}: {
  preserve?: Preserve | undefined;
  isUnchangedKept?: boolean | undefined;
}): Preserve {
  if (preserve === undefined) return isUnchangedKept ? "auto" : EDIT_PARAMETERS.preserve.default;
  if (isUnchangedKept === undefined || isUnchangedKept === (preserve !== "off")) return preserve;
  throw invalid("notTogether", { field: "preserve", other: "isUnchangedKept" });
}

/** @throws RetouchError INVALID_PARAMETER for a map of a result of which nothing is preserved */
export function checkMaskWanted(isMaskWanted: boolean, preserve: Preserve): void {
  if (!isMaskWanted || preserve !== "off") return;
  throw invalid("unsupported", { field: "isMaskWanted", reason: "nothing is preserved" });
}
