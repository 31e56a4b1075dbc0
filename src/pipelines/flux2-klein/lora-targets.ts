/**
 * What a LoRA of FLUX.2 may adapt, under every name that trainers use: our layers, and the original repository's fused
 * ones (diffusers 0.42.1, `_convert_non_diffusers_flux2_lora_to_diffusers` and
 * `_convert_kohya_flux2_lora_to_diffusers`). The text encoder is adapted by no file that the reference reads.
 */
import { comparable, layoutTargets, withoutPrefix } from "../../lora/layout-targets.ts";
import type { FindTarget } from "../../lora/targets.ts";
import { originalFlux2Layout } from "../../models/layouts/original-flux2.ts";
import type { Flux2Config } from "../../models/transformers/flux2-config.ts";

/** Some exports cut the first letters off a block's name; the reference reads them, too. */
const CUT_NAME = /^sformer_blocks\./;

export function createFindTarget(config: Flux2Config): FindTarget {
  // The reference takes a LoRA of the last norm under its original name as it is, though shift and scale change places.
  const targets = layoutTargets(originalFlux2Layout(config), { areHalvesSwapped: false });
  return (module) => targets.get(comparable(withoutPrefix(module).replace(CUT_NAME, "transformer_blocks.")));
}
