/** What requests may leave to a model, and what a model takes of them. */
import { invalid } from "../errors.ts";
import { EDIT_PARAMETERS, type NumberParameter, type SizeRule } from "./edit-parameters.ts";

/** What a model does where an edit does not choose. */
export interface EditDefaults {
  numSteps: number;
  guidance: number;
  /** Whether guidance has an effect. @default true */
  isGuided?: boolean | undefined;
}

/** Those of the endpoint's own model, FLUX.1 Kontext. */
export const USUAL_DEFAULTS: EditDefaults = {
  numSteps: EDIT_PARAMETERS.numSteps.default,
  guidance: EDIT_PARAMETERS.guidance.default,
};

/** The parameters whose defaults are the model's own, with these defaults. */
export function parametersOfModel({ numSteps, guidance, isGuided = true }: EditDefaults): {
  numSteps: NumberParameter;
  guidance: NumberParameter;
} {
  const { description } = EDIT_PARAMETERS.guidance;
  return {
    numSteps: { ...EDIT_PARAMETERS.numSteps, default: numSteps },
    guidance: {
      ...EDIT_PARAMETERS.guidance,
      default: guidance,
      description: isGuided ? description : `${description} ${NO_GUIDANCE}`,
    },
  };
}

const NO_GUIDANCE = "It has no effect on this model, which was distilled to do without it.";

/** Refuses the reference's sizes where the model has only ours. @throws RetouchError INVALID_PARAMETER */
export function checkSizeRule(rule: SizeRule | undefined, takesSizeRule = false): void {
  if (rule !== "diffusers" || takesSizeRule) return;
  throw invalid("unsupported", {
    field: "sizeRule",
    reason: "diffusers has a rule of sizes of this kind for FLUX.2 alone",
  });
}

/** How many images a model takes per edit. */
export interface ImageLimits {
  /** 0 if it draws without one. */
  readonly minImages: number;
  readonly maxImages: number;
}

/** Refuses fewer images than the model needs, and more than it takes. @throws RetouchError INVALID_PARAMETER */
export function checkImageCount(given: number, { minImages, maxImages }: ImageLimits): void {
  if (given < minImages) throw invalid("missing", { field: "image" });
  if (given <= maxImages) return;
  const choices = maxImages === 1 ? "one image" : `at most ${maxImages} images`;
  throw invalid("oneOf", { field: "image", choices, given });
}
