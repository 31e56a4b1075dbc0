/** What of an edit goes into the metadata of its file. */
import type { EditMetadata } from "../images/metadata.ts";
import { version } from "../version.ts";
import type { EditParameters } from "./edit-result.ts";
import type { EditOutcome } from "./model.ts";

/** The facts of an edit, as its file tells them. */
export function metadataOf(
  { modelName, isPromptInMetadata }: { modelName: string; isPromptInMetadata: boolean },
  parameters: EditParameters,
  { kept, isNegativeUsed }: Pick<EditOutcome, "kept" | "isNegativeUsed">,
): EditMetadata {
  const { seed, numSteps, guidance, trueCfgScale, sigmas, maxSequenceLength } = parameters;
  const { prompt, prompt2, negativePrompt } = parameters;
  const { strength, paddingMaskCrop, maskBlur, maskFeather } = parameters;
  const sizeRule = parameters.sizeRule === "exact" ? undefined : parameters.sizeRule;
  const loras = parameters.loras.map((lora) => `${lora.name}:${lora.scale}`).join(" ") || undefined;
  return {
    model: modelName,
    version,
    seed,
    sizeRule,
    imageLayout: parameters.imageLayout === "auto" ? undefined : parameters.imageLayout,
    numSteps,
    sampler: parameters.sampler === "euler" ? undefined : parameters.sampler,
    sigmas: sigmas?.join(" "),
    guidance,
    minPsnr: parameters.minPsnr,
    trueCfgScale: isNegativeUsed ? trueCfgScale : undefined,
    maxSequenceLength,
    keepUnchanged: kept !== undefined || undefined,
    preserve: kept && parameters.preserve,
    strength: strength === 1 ? undefined : strength,
    paddingMaskCrop,
    maskBlur: maskBlur || undefined,
    maskFeather: maskFeather || undefined,
    loras,
    ...(isPromptInMetadata && {
      prompt: prompt || undefined,
      prompt2,
      negativePrompt: negativePrompt || undefined,
    }),
  };
}
