/** What a request may say about a mask, and how failures name it. */
import { invalid, LIBRARY, RetouchError, sentenceOf } from "../errors.ts";
import { EDIT_PARAMETERS } from "./edit-parameters.ts";
import type { ResolvedRequest, Size } from "./request.ts";

type MaskFields = Partial<
  Pick<
    ResolvedRequest,
    | "strength"
    | "paddingMaskCrop"
    | "maskBlur"
    | "maskFeather"
    | "isUnchangedKept"
    | "sizeRule"
    | "numSteps"
    | "imageLayout"
  >
>;

/** The file of a mask, and what decides whether it can be used. */
export interface GivenMask extends Partial<Pick<ResolvedRequest, "isTransparencyEdited" | "maskBlur">> {
  mask: Uint8Array;
  /** The file that is edited; absent where it is not at hand. */
  image?: Uint8Array | undefined;
}

/**
 * Refuses a mask where there can be none, and what goes with a mask only where there is none.
 * @param hasMask whether there is one, or may be one
 * @throws RetouchError INVALID_PARAMETER
 */
export function checkMasking(
  fields: MaskFields,
  { hasMask, numImages, takesMask }: { hasMask: boolean; numImages: number; takesMask: boolean },
): void {
  const { strength = EDIT_PARAMETERS.strength.default, numSteps = EDIT_PARAMETERS.numSteps.default } = fields;
  if (!hasMask) return checkMaskless(fields);
  if (!takesMask) {
    throw invalid("unsupported", { field: "mask", reason: "the model of this checkpoint takes none" });
  }
  if (numImages < 1 || numImages > MAX_MASKED_IMAGES) {
    const sentence = `it goes with the image to edit and at most one to look at, and there are ${numImages === 0 ? "none" : numImages}.`;
    throw invalid("about", { field: "mask", sentence });
  }
  if (fields.imageLayout !== undefined && fields.imageLayout !== "auto") {
    const reason = "with a mask, the second image shows what is to be drawn inside";
    throw invalid("forbidden", { field: "imageLayout", given: fields.imageLayout, reason });
  }
  if (fields.sizeRule === "diffusers") {
    const reason = "with a mask, the result has the image's own size or the requested one";
    throw invalid("forbidden", { field: "sizeRule", given: "diffusers", reason });
  }
  if (skippedSteps({ numSteps, strength }) >= numSteps) {
    throw invalid("above", { field: "strength", min: EDIT_PARAMETERS.strength.min, given: strength });
  }
  const isLaidOver = fields.isUnchangedKept === true || fields.paddingMaskCrop !== undefined;
  if ((fields.maskFeather ?? 0) > 0 && !isLaidOver) {
    const sentence =
      "it is the edge of what is laid over the image, which takes keeping the unchanged pixels or a crop around the mask.";
    throw invalid("about", { field: "maskFeather", sentence });
  }
}

/** The one to edit, and one to look at: `image_reference` of diffusers' inpainting pipelines. */
const MAX_MASKED_IMAGES = 2;

function checkMaskless(fields: MaskFields): void {
  for (const field of ["strength", "maskBlur", "maskFeather"] as const) {
    const value = fields[field];
    if (value !== undefined && value !== EDIT_PARAMETERS[field].default) {
      throw invalid("onlyWith", { field, other: "mask" });
    }
  }
  if (fields.paddingMaskCrop !== undefined) {
    throw invalid("onlyWith", { field: "paddingMaskCrop", other: "mask" });
  }
}

/** Steps that are left out at the beginning: `get_timesteps` of diffusers' inpainting pipelines. */
export function skippedSteps({
  numSteps,
  strength = EDIT_PARAMETERS.strength.default,
}: Pick<ResolvedRequest, "numSteps" | "strength">): number {
  return Math.trunc(Math.max(numSteps - Math.min(numSteps * strength, numSteps), 0));
}

/** Names the mask in what goes wrong with its file, instead of the image. */
export async function aboutMask<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw error instanceof RetouchError ? maskError(error) : error;
  }
}

/** A failure that is about the image or its file, told of the mask: INVALID_PARAMETER about `mask`. */
export function maskError(error: RetouchError): RetouchError {
  const { kind, values } = error.failure;
  if (values["field"] === "image") {
    const about = { kind, values: { ...values, field: "mask" } };
    return new RetouchError("INVALID_PARAMETER", about, { cause: error });
  }
  if (!error.code.startsWith("IMAGE_") && error.field !== "image") return error;
  const surface = { ...LIBRARY, image: (source: string | undefined) => source ?? "it" };
  return invalid("about", { field: "mask", sentence: sentenceOf(error.failure, surface) }, { cause: error });
}

export function wrongMaskSize(mask: Size, image: Size): RetouchError {
  const sentence = `it has ${mask.width} x ${mask.height} pixels, and the image ${image.width} x ${image.height}.`;
  return invalid("about", { field: "mask", sentence });
}
