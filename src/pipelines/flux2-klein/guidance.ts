/**
 * Guidance of FLUX.2 [klein]. A model that was not distilled is guided away from the empty text, as the reference guides
 * it, or from a negative prompt, which the reference takes as embeddings only. A distilled one runs without guidance.
 */
import { EDIT_PARAMETERS } from "../../engine/edit-parameters.ts";
import type { ResolvedRequest } from "../../engine/request.ts";
import type { KleinConfigs } from "./components.ts";

type GuidedRequest = Pick<
  ResolvedRequest,
  "guidance" | "negativePrompt" | "trueCfgScale" | "isEmptyNegativeUsed"
>;

/** Whether there is a second pass per step. */
export const isGuided = (
  { isDistilled }: Pick<KleinConfigs, "isDistilled">,
  { guidance }: Pick<ResolvedRequest, "guidance">,
): boolean => !isDistilled && guidance > 1;

/** What was asked for and has no effect on this model, as sentences. */
export function guidanceNotices(
  configs: Pick<KleinConfigs, "isDistilled">,
  request: GuidedRequest,
  hasNegativeEmbeds: boolean,
): string[] {
  const hasNegative = request.negativePrompt.trim() !== "" || hasNegativeEmbeds;
  if (configs.isDistilled) {
    return [
      ...(request.guidance > 1 ? [NO_GUIDANCE] : []),
      ...(hasNegative || request.isEmptyNegativeUsed ? [NO_NEGATIVE] : []),
    ];
  }
  if (!isGuided(configs, request)) return hasNegative ? [NEEDS_GUIDANCE] : [];
  return request.trueCfgScale === EDIT_PARAMETERS.trueCfgScale.default ? [] : [NO_SCALE];
}

const NO_GUIDANCE = "Guidance has no effect on this model, which was distilled to do without it.";
const NO_NEGATIVE =
  "The negative prompt has no effect on this model, which was distilled to do without guidance.";
const NEEDS_GUIDANCE = "The negative prompt had no effect: on this model, guidance above 1 applies it.";
const NO_SCALE =
  "The true CFG scale has no effect on this model: its guidance is the strength of the negative prompt, too.";
