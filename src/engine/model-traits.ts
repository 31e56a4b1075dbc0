/** What requests may leave to a model, and what a model takes of them. */
import { anyOf, invalid } from "../errors.ts";
import type { SamplerName } from "../sampling/sampler-names.ts";
import { EDIT_PARAMETERS, type ImageLayout, type NumberParameter, type SizeRule } from "./edit-parameters.ts";

/** What `auto` stands for, by sampler; one that was not measured has none. */
export type AutoSteps = Readonly<Partial<Record<SamplerName, number>>>;

/** What a model does where an edit does not choose. */
export interface EditDefaults {
  numSteps: number;
  guidance: number;
  /** Whether guidance has an effect. @default true */
  isGuided?: boolean | undefined;
  /** Absent where nothing was measured. */
  autoSteps?: AutoSteps | undefined;
}

/** Those of the endpoint's own model, FLUX.1 Kontext. */
export const USUAL_DEFAULTS: EditDefaults = {
  numSteps: EDIT_PARAMETERS.numSteps.default,
  guidance: EDIT_PARAMETERS.guidance.default,
};

/** The parameters whose defaults are the model's own, with these defaults. */
export function parametersOfModel({ numSteps, guidance, isGuided = true }: EditDefaults): {
  numSteps: NumberParameter & Pick<typeof EDIT_PARAMETERS.numSteps, "word">;
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
  /** How an edit may have several images taken. @default by the model itself, without a choice */
  readonly layouts?: readonly ImageLayout[] | undefined;
  /** Whether an edit with several images has to choose one: the model was trained on one image. @default false */
  readonly needsLayout?: boolean | undefined;
}

/**
 * Refuses fewer images than the model needs, more than it takes, and a way of taking several that it has not.
 * @param hasMask whether the second image only shows what is to be drawn inside a mask, which needs no such way
 * @throws RetouchError INVALID_PARAMETER
 */
export function checkImageCount(
  given: number,
  { minImages, maxImages, layouts = [], needsLayout = false }: ImageLimits,
  layout: ImageLayout = "auto",
  hasMask = false,
): void {
  if (given < minImages) throw invalid("missing", { field: "image" });
  if (given > maxImages) {
    const choices = maxImages === 1 ? "one image" : `at most ${maxImages} images`;
    throw invalid("oneOf", { field: "image", choices, given });
  }
  if (layout !== "auto" && !layouts.includes(layout)) {
    const taken = maxImages === 1 ? "one image" : "several images by itself";
    throw invalid("unsupported", {
      field: "imageLayout",
      reason: `the model of this checkpoint takes ${taken}`,
    });
  }
  if (given > 1 && layout === "auto" && needsLayout && !hasMask) {
    throw invalid("oneImage", { field: "image", given, other: "imageLayout", choices: anyOf(layouts) });
  }
}
