/** What an edit is asked for and what it returns. Requests are checked here, once; inside, the types are trusted. */
import { isUint8Array } from "node:util/types";
import { anyOf, invalid, shownValue } from "../errors.ts";
import type { SamplerName } from "../sampling/sampler-names.ts";
import type { OutputFormat } from "../images/output-format.ts";
import { type LoraUse, unknownLora } from "../lora/use.ts";
import { textsWithin } from "./request-texts.ts";
import { AUTO, autoStepsOf } from "./auto-steps.ts";
import {
  type AccelerationMode,
  EDIT_PARAMETERS,
  type ImageLayout,
  type ImageSize,
  type Preserve,
  type SizeRule,
} from "./edit-parameters.ts";
import type { TensorRequest } from "./given-tensors.ts";
import { minPsnrOf } from "./acceleration-rules.ts";
import { checkMaskWanted, preserveOf } from "./preserve-rules.ts";
import {
  lorasWithin,
  modelNumberWithin,
  numberWithin,
  qualityWithin,
  sigmasWithin,
  sizeWithin,
  stringWithin,
} from "./request-values.ts";
import { backgroundWithin } from "./result-form.ts";
import { type EditDefaults, USUAL_DEFAULTS } from "./model-traits.ts";
import { chosenSeed } from "./seeds.ts";

export { type LoraUse, unknownLora };
export { chosenSeed, seedAt } from "./seeds.ts";

/** A width and a height in pixels. */
export interface Size {
  width: number;
  height: number;
}

/** One edit: an image and an instruction; every other field is optional. */
export interface EditRequest extends TensorRequest {
  /**
   * The image: encoded bytes (JPEG, PNG, WebP, AVIF, GIF or TIFF), which `readImageSource` gets from a path or a URL. A
   * model that takes several images accepts an array of them; only a model that draws without one takes none.
   */
  image?: Uint8Array | readonly Uint8Array[] | undefined;
  /** Further images to look at, after those of `image`; at most four in all. @default none */
  images?: readonly Uint8Array[] | undefined;
  /**
   * How FLUX.1 Kontext, which was trained on one image, takes several: `index` gives each a stream of its own (1, 2, ...
   * in the first number of their tokens' positions), `offset` places all in stream 1, one beside or below the other, and
   * `stitch` sets them side by side in one picture. FLUX.2 takes several by itself, and refuses all but `auto`.
   * @default "auto", which refuses several images where the model was trained with one
   */
  imageLayout?: ImageLayout | undefined;
  /**
   * An image of the first one's size that is white where that may change, for a model that takes a mask. What is transparent
   * counts as black. Only with one image. @default none
   */
  mask?: Uint8Array | undefined;
  /**
   * Whether what is transparent may change, as OpenAI's clients mean it: of the mask if it has transparent pixels, or else
   * of the image if there is no mask. @default false
   */
  isTransparencyEdited?: boolean | undefined;
  /** With a mask: the part of the steps that is taken, above 0 to 1; the first ones are left out. @default 1 */
  strength?: number | undefined;
  /**
   * With a mask: edits only the part around what it marks, with so many pixels of the image at each side, 0 to 4,096,
   * enlarged to the size at which the network works. @default the whole image
   */
  paddingMaskCrop?: number | undefined;
  /** With a mask: radius of the blur of the mask before it is used, in its pixels, 0 to 256. @default 0 */
  maskBlur?: number | undefined;
  /**
   * With a mask whose outside is kept (`isUnchangedKept`) or a crop: width of the transition inside the mask's edge, in
   * pixels of the mask, 0 to 256. @default 0
   */
  maskFeather?: number | undefined;
  /** What to change, 1 to 4,000 characters; required unless there are `promptEmbeds`. */
  prompt?: string | undefined;
  /** What T5 reads, if that differs from what CLIP reads. Empty means the prompt. @default "" */
  prompt2?: string | undefined;
  /** Tokens that T5 reads of a text, 1 to 512. @default what the checkpoint's tokenizer allows, at most 512 */
  maxSequenceLength?: number | undefined;
  /** What to steer away from; costs a second pass per step. Blank means none. @default "" */
  negativePrompt?: string | undefined;
  /** Whether a blank negative prompt counts: the edit then steers away from what an empty text gives. @default false */
  isEmptyNegativeUsed?: boolean | undefined;
  /** Strength of the negative prompt, 1 to 10; at 1 it has no effect. @default 2 */
  trueCfgScale?: number | undefined;
  /**
   * Size of the result, 16 to 4,096 per side; `auto` is the image's own, its longer side at most 1,536; `source` the image's
   * own, up to 64 megapixels. @default "auto"
   */
  size?: Size | ImageSize | undefined;
  /**
   * `diffusers` takes the sizes of diffusers' FLUX.2 pipelines, which reduce and crop images to whole tokens of a megapixel
   * at most, and give the result the first one's size or the requested one, rounded down; other models refuse it.
   * @default "exact", which stretches and crops nothing
   */
  sizeRule?: SizeRule | undefined;
  /**
   * Steps of the sampler, 1 to 50; `sigmas` decide if they are given. @default the model's own: 28 of FLUX.1 Kontext, 4 of a
   * distilled FLUX.2 [klein], 50 of another. `auto` takes as many as were measured to be enough for the checkpoint with
   * this sampler, or the model's own where nothing was measured
   */
  numSteps?: number | "auto" | undefined;
  /**
   * `euler` asks the network once a step; `heun` twice, but in the last step, as diffusers'
   * `FlowMatchHeunDiscreteScheduler`; `dpmpp_2m` once, and goes on from what the step before found, as its
   * `DPMSolverMultistepScheduler` in the flow's form. Only `euler` suits a checkpoint whose scheduler draws noise in every
   * step, or rises. @default "euler"
   */
  sampler?: SamplerName | undefined;
  /**
   * The noise level before each step, 1 to 50 numbers from 0 to 1, before the checkpoint's scheduler shifts them.
   * @default `numSteps` numbers that fall evenly from 1
   */
  sigmas?: readonly number[] | undefined;
  /**
   * How closely the prompt is followed, 0 to 10. @default the model's own: 2 of FLUX.1 Kontext, 4 of FLUX.2 [klein]; it has
   * no effect on a distilled one
   */
  guidance?: number | undefined;
  /**
   * `auto` leaves out steps as far as `minPsnr` allows, once the checkpoint is calibrated (`retouch calibrate`). @default "off"
   */
  acceleration?: AccelerationMode | undefined;
  /** What that promises: PSNR to the same seed's picture in float32 with every step computed, 30 to 60 decibels. @default 40 */
  minPsnr?: number | undefined;
  /** 0 to 2^53 - 1, of which only the low 32 bits count; -1 or undefined chooses one at random. @default -1 */
  seed?: number | undefined;
  /**
   * Results, 1 to 8: the first has the seed, each other one the next number, and each is what an edit with its seed alone
   * gives. What does not depend on the seed is computed once. Not with `latents` or `numImagesPerPrompt`. @default 1
   */
  numImages?: number | undefined;
  /** @default "png" */
  format?: OutputFormat | undefined;
  /** Quality of a JPEG, WebP or AVIF, 1 to 100; at 100, WebP and AVIF of 8 bits are exact. @default 95, 90 and 80 */
  outputQuality?: number | undefined;
  /**
   * What becomes of the first image's transparency: `auto` keeps it where the format has any and the shape is the same,
   * `transparent` keeps it or is refused, `opaque` lays it on white, and a colour such as `#ffcc00` on that colour.
   * @default "auto"
   */
  background?: string | undefined;
  /** Whether the result is checked for pornography, if the engine allows a choice; previews never are. @default true */
  isSafetyChecked?: boolean | undefined;
  /**
   * What the result keeps of the first image, at its own resolution: `exact` copies its pixels where nothing was edited;
   * `auto` carries changes of light and colour over to its detail as well. Costs one more decoding. @default "off"
   */
  preserve?: Preserve | undefined;
  /** Another name of `preserve`: true is `auto`, false is `off`. @default false */
  isUnchangedKept?: boolean | undefined;
  /** Whether the result comes with a map of what was copied, carried over and drawn. @default false */
  isMaskWanted?: boolean | undefined;
  /** At most 4 of the engine's LoRAs, applied together; each scale is from -10 to 10. @default [] */
  loras?: readonly { name: string; /** @default 1 */ scale?: number | undefined }[] | undefined;
}

/** A request with every field present and in range. */
export interface ResolvedRequest {
  /** Empty if its embeddings are given instead. */
  prompt: string;
  /** Undefined if T5 reads the prompt. */
  prompt2?: string | undefined;
  maxSequenceLength?: number | undefined;
  negativePrompt: string;
  /** Undefined means false, in jobs of earlier versions. */
  isEmptyNegativeUsed?: boolean | undefined;
  trueCfgScale: number;
  /** Undefined means `auto`. */
  size: Size | "source" | undefined;
  /** Undefined means exact, in jobs of earlier versions. */
  sizeRule?: SizeRule | undefined;
  /** As many as there are sigmas, if there are any. */
  numSteps: number;
  /** Undefined means euler, in jobs of earlier versions. */
  sampler?: SamplerName | undefined;
  sigmas?: readonly number[] | undefined;
  guidance: number;
  /** Undefined means off, in jobs of earlier versions. */
  acceleration?: AccelerationMode | undefined;
  /** Undefined without acceleration. */
  minPsnr?: number | undefined;
  /** Of the first result. */
  seed: number;
  /** Undefined means 1, in jobs of earlier versions. */
  numImages?: number | undefined;
  /** Undefined means auto, in jobs of earlier versions. */
  imageLayout?: ImageLayout | undefined;
  format: OutputFormat;
  /** Undefined means the format's own. */
  outputQuality?: number | undefined;
  /** Undefined means auto, in jobs of earlier versions. */
  background?: string | undefined;
  isSafetyChecked: boolean;
  /** Whether anything is preserved. */
  isUnchangedKept: boolean;
  /** Undefined, in jobs of earlier versions, is what `isUnchangedKept` says. */
  preserve?: Preserve | undefined;
  /** Undefined means false. */
  isMaskWanted?: boolean | undefined;
  loras: readonly LoraUse[];
  /** This and the next four are undefined in jobs of earlier versions, which had no masks. */
  isTransparencyEdited?: boolean | undefined;
  strength?: number | undefined;
  paddingMaskCrop?: number | undefined;
  maskBlur?: number | undefined;
  maskFeather?: number | undefined;
}

const IMAGE_BYTES = "the bytes of an image in a Uint8Array; readImageSource gets them from a path";

/**
 * Checks a request and fills in its defaults.
 * @param defaults those of the model
 * @throws RetouchError INVALID_PARAMETER with the field, its range and the given value
 */
export function resolveRequest(
  { image, images, mask, ...parameters }: EditRequest,
  defaults?: EditDefaults,
): ResolvedRequest {
  for (const [field, bytes] of [
    ...imagesOf({ image, images }).map((one) => ["image", one] as const),
    ...(mask === undefined ? [] : [["mask", mask] as const]),
  ]) {
    if (!isUint8Array(bytes)) throw invalid("type", { field, wanted: IMAGE_BYTES });
  }
  return resolveParameters(parameters, defaults);
}

/** The same for everything but the image, which may still have to be read. @throws as {@link resolveRequest} */
export function resolveParameters(
  request: Omit<EditRequest, "image" | "images">,
  defaults: EditDefaults = USUAL_DEFAULTS,
): ResolvedRequest {
  const { negativePrompt, trueCfgScale, numSteps, guidance, seed, format, loras } = EDIT_PARAMETERS;
  const {
    size,
    sizeRule = EDIT_PARAMETERS.sizeRule.default,
    imageLayout = EDIT_PARAMETERS.imageLayout.default,
    acceleration = EDIT_PARAMETERS.acceleration.default,
    sampler = EDIT_PARAMETERS.sampler.default,
    format: wanted = format.default,
    isSafetyChecked = EDIT_PARAMETERS.isSafetyChecked.default,
    isUnchangedKept,
    isMaskWanted = false,
    isEmptyNegativeUsed = EDIT_PARAMETERS.isEmptyNegativeUsed.default,
    isTransparencyEdited = false,
  } = request;
  for (const [field, value, { choices }] of [
    ["format", wanted, format] as const,
    ["sizeRule", sizeRule, EDIT_PARAMETERS.sizeRule] as const,
    ["imageLayout", imageLayout, EDIT_PARAMETERS.imageLayout] as const,
    ["acceleration", acceleration, EDIT_PARAMETERS.acceleration] as const,
    ["sampler", sampler, EDIT_PARAMETERS.sampler] as const,
    [
      "preserve",
      request.preserve === undefined ? "off" : request.preserve,
      EDIT_PARAMETERS.preserve,
    ] as const,
  ]) {
    if (choices.some((choice) => choice === value)) continue;
    throw invalid("oneOf", { field, choices: anyOf(choices), given: shownValue(value) });
  }
  const flags = {
    isSafetyChecked,
    isUnchangedKept: isUnchangedKept === undefined ? false : isUnchangedKept,
    isEmptyNegativeUsed,
    isMaskWanted,
    isTransparencyEdited,
  };
  for (const [field, value] of Object.entries(flags)) {
    if (typeof value !== "boolean") {
      throw invalid("oneOf", { field, choices: "true or false", given: shownValue(value) });
    }
  }
  const preserve = preserveOf({ preserve: request.preserve, isUnchangedKept });
  checkMaskWanted(isMaskWanted, preserve);
  const steps =
    request.numSteps === AUTO
      ? autoStepsOf(defaults, sampler)
      : numberWithin("numSteps", request.numSteps, { ...numSteps, default: defaults.numSteps });
  const sigmas = sigmasWithin(request.sigmas);
  return {
    ...textsWithin(request),
    maxSequenceLength: modelNumberWithin("maxSequenceLength", request.maxSequenceLength),
    negativePrompt: stringWithin(
      "negativePrompt",
      request.negativePrompt ?? negativePrompt.default,
      negativePrompt,
    ),
    isEmptyNegativeUsed,
    trueCfgScale: numberWithin("trueCfgScale", request.trueCfgScale, trueCfgScale),
    size: sizeWithin(size, sizeRule),
    sizeRule,
    numSteps: sigmas?.length ?? steps,
    sampler,
    sigmas,
    guidance: numberWithin("guidance", request.guidance, { ...guidance, default: defaults.guidance }),
    acceleration,
    minPsnr: minPsnrOf({ acceleration, minPsnr: request.minPsnr }),
    seed: chosenSeed(numberWithin("seed", request.seed, seed)),
    numImages: numberWithin("numImages", request.numImages, EDIT_PARAMETERS.numImages),
    imageLayout,
    format: wanted,
    outputQuality: qualityWithin(request.outputQuality),
    background: backgroundWithin(request.background, wanted),
    isSafetyChecked,
    isUnchangedKept: preserve !== "off",
    preserve,
    isMaskWanted,
    loras: lorasWithin(request.loras ?? [], loras),
    isTransparencyEdited,
    strength: numberWithin("strength", request.strength, EDIT_PARAMETERS.strength),
    paddingMaskCrop: modelNumberWithin("paddingMaskCrop", request.paddingMaskCrop),
    maskBlur: numberWithin("maskBlur", request.maskBlur, EDIT_PARAMETERS.maskBlur),
    maskFeather: numberWithin("maskFeather", request.maskFeather, EDIT_PARAMETERS.maskFeather),
  };
}

/** The images of a request, in order: the first one is edited, the others are references. */
export function imagesOf({ image, images }: Pick<EditRequest, "image" | "images">): readonly Uint8Array[] {
  if (images !== undefined && !Array.isArray(images)) {
    throw invalid("type", { field: "images", wanted: "a list of images" });
  }
  return [image === undefined ? [] : image, images ?? []].flat();
}

/**
 * Whether an edit has a second pass per step, which steers away from its negative prompt.
 * @param hasNegativeEmbeds whether the negative prompt's embeddings are given
 */
export const isNegativeUsed = (
  {
    negativePrompt,
    isEmptyNegativeUsed = false,
    trueCfgScale,
  }: Pick<ResolvedRequest, "negativePrompt" | "isEmptyNegativeUsed" | "trueCfgScale">,
  hasNegativeEmbeds = false,
): boolean => (negativePrompt.trim() !== "" || isEmptyNegativeUsed || hasNegativeEmbeds) && trueCfgScale > 1;
