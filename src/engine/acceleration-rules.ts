/** What a request may say about leaving steps uncomputed. */
import { invalid } from "../errors.ts";
import { type AccelerationMode, EDIT_PARAMETERS } from "./edit-parameters.ts";
import { numberWithin } from "./request-values.ts";

/** What is promised; undefined without acceleration. @throws RetouchError INVALID_PARAMETER */
export function minPsnrOf({
  acceleration,
  minPsnr,
}: {
  acceleration?: AccelerationMode | undefined;
  minPsnr?: number | undefined;
}): number | undefined {
  if (acceleration === "auto") return numberWithin("minPsnr", minPsnr, EDIT_PARAMETERS.minPsnr);
  // Clients send the defaults of a form along.
  if (minPsnr === undefined || minPsnr === EDIT_PARAMETERS.minPsnr.default) return undefined;
  throw invalid("onlyWith", { field: "minPsnr", other: "acceleration" });
}
