/** Turns a body that fits its schema into a job: aliases, defaults, and rules that span several fields. */
import type { Config } from "../config/settings.ts";
import { invalid } from "../errors.ts";
import type { JobCall } from "../jobs/call.ts";
import type { JobEdit, JobImages, JobPolicy, RequestBucket } from "../jobs/job.ts";
import type { GivenImage } from "./input-image.ts";
import { minPsnrOf } from "../engine/acceleration-rules.ts";
import { AUTO, autoNotices, autoStepsOf } from "../engine/auto-steps.ts";
import { EDIT_PARAMETERS, type SamplerName } from "../engine/edit-parameters.ts";
import { checkMasking } from "../engine/mask-rules.ts";
import { checkImageCount, checkSizeRule, type EditDefaults } from "../engine/model-traits.ts";
import { checkMaskWanted, checkSourceSize, preserveOf } from "../engine/preserve-rules.ts";
import { chosenSeed, type LoraUse, unknownLora } from "../engine/request.ts";
import { unknownNames } from "../engine/request-fields.ts";
import { backgroundWithin } from "../engine/result-form.ts";
import { defaultSize } from "../engine/sizes.ts";
import type { OutputFormat } from "../images/output-format.ts";
import { checkBucketTarget } from "../storage/bucket-target.ts";
import type { GivenLineage } from "./lineage.ts";
import { checkPublic, type IsRefusedAddress } from "./public-address.ts";
import {
  type EditInput,
  editInputSchema,
  type JobBody,
  jobBodySchema,
  type ModelTraits,
  USUAL_TRAITS,
} from "./schemas.ts";

export type InputSettings = Pick<
  Config,
  | "minSide"
  | "maxSide"
  | "safety"
  | "loras"
  | "executionTimeoutMs"
  | "ttlMs"
  | "retentionMs"
  | "syncRetentionMs"
>;

/** A job without its image, which is handled last because it may have to be stored. */
export interface ParsedBody {
  edit: Omit<JobEdit, keyof JobImages>;
  images: readonly GivenImage[];
  mask?: GivenImage | undefined;
  lineage?: GivenLineage | undefined;
  policy: JobPolicy;
  webhook: string | undefined;
  /** Of another provider's API. */
  call?: JobCall | undefined;
}

const EXECUTION_TIMEOUT_RANGE = [5000, 604_800_000] as const;
const TTL_RANGE = [10_000, 604_800_000] as const;
const SIZE = /^\s*(\d+)\s*[*xX]\s*(\d+)\s*$/;

/** @throws RetouchError INVALID_PARAMETER about the field */
export function parseBody(
  body: JobBody,
  settings: InputSettings,
  model: ModelTraits,
  { isSync, isRefusedAddress }: { isSync: boolean; isRefusedAddress: IsRefusedAddress },
): ParsedBody {
  const { input, policy = {} } = body;
  const edit = editOf(input, settings, model);
  const images = imagesOf(input);
  const lineage = lineageOf(input);
  const numImages = images.length + (lineage.isParentEdited ? 1 : 0);
  const hasMask = input.mask !== undefined;
  checkImageCount(numImages, model, input.image_layout, hasMask);
  checkMasking(edit, { hasMask, numImages, takesMask: model.takesMask ?? false });
  return {
    images,
    mask: input.mask,
    lineage,
    edit: {
      ...edit,
      requestNotices: noticesOf(body, model.defaults),
      bucket: body.s3Config && bucketOf(body.s3Config, isRefusedAddress),
    },
    policy: policyOf(policy, settings, { isSync }),
    webhook: webhookOf(body, isRefusedAddress),
  };
}

/** All images, in order. Clients that send one under both names mean it once. */
function imagesOf({ image = [], images = [] }: EditInput): string[] {
  const first = [image].flat();
  const isRepeated = first.length === 1 && first[0] === images[0];
  return isRepeated ? images : [...first, ...images];
}

const lineageOf = (input: EditInput): GivenLineage => ({
  parent: input.parent,
  parentImage: input.parent_image,
  isParentEdited: input.parent !== undefined && input.image === undefined,
  isFromOriginal: input.from_original ?? false,
});

const INPUT_FIELDS = Object.keys(editInputSchema({ minSide: 1, maxSide: 1 }, USUAL_TRAITS).properties);
const BODY_FIELDS = jobBodySchema(editInputSchema({ minSide: 1, maxSide: 1 }, USUAL_TRAITS)).properties;

/** What of a body has no effect, as sentences; undefined if all has. */
function noticesOf(body: JobBody, defaults: EditDefaults): string[] | undefined {
  const { input, policy, s3Config, ...around } = body;
  const spilt = Object.keys(around).filter(
    (name) => INPUT_FIELDS.includes(name) && !Object.hasOwn(BODY_FIELDS, name),
  );
  const notices = [
    ...unknownNames(input, INPUT_FIELDS),
    ...spilt.map((name) => `${name} has no effect outside of input.`),
    ...unknownNames(around, [...Object.keys(BODY_FIELDS), ...spilt]),
    ...unknownNames(policy ?? {}, Object.keys(BODY_FIELDS.policy.properties), "policy."),
    ...unknownNames(s3Config ?? {}, Object.keys(BODY_FIELDS.s3Config.properties), "s3Config."),
    ...autoNotices(
      { numSteps: input.num_inference_steps, sigmas: input.sigmas },
      defaults,
      input.sampler ?? EDIT_PARAMETERS.sampler.default,
    ),
  ];
  return notices.length > 0 ? notices : undefined;
}

function stepsOf(
  given: EditInput["num_inference_steps"],
  sampler: SamplerName,
  defaults: EditDefaults,
): number {
  return given === AUTO ? autoStepsOf(defaults, sampler) : (given ?? defaults.numSteps);
}

/** An edit with every default filled in. @throws RetouchError INVALID_PARAMETER */
export function editOf(
  input: EditInput,
  settings: InputSettings,
  { defaults, takesSizeRule }: Pick<ModelTraits, "defaults" | "takesSizeRule">,
): Omit<JobEdit, keyof JobImages> {
  const { negativePrompt, trueCfgScale, seed } = EDIT_PARAMETERS;
  const format = formatOf(input);
  const { sampler = EDIT_PARAMETERS.sampler.default } = input;
  checkSizeRule(input.size_rule, takesSizeRule);
  const size = sizeOf(input, settings);
  const numImages = input.num_images ?? EDIT_PARAMETERS.numImages.default;
  if (input.enable_base64_output) checkEmbedded("numImages", numImages, size);
  if (input.prompt.trim() === "") throw invalid("empty", { field: "prompt" });
  const preserve = preserveOf({ preserve: input.preserve, isUnchangedKept: input.keep_unchanged });
  const isMaskWanted = input.enable_mask_output ?? EDIT_PARAMETERS.isMaskWanted.default;
  checkMaskWanted(isMaskWanted, preserve);
  return {
    prompt: input.prompt,
    prompt2: input.prompt_2 || undefined,
    maxSequenceLength: input.max_sequence_length,
    negativePrompt: input.negative_prompt ?? negativePrompt.default,
    isEmptyNegativeUsed: input.use_empty_negative_prompt ?? EDIT_PARAMETERS.isEmptyNegativeUsed.default,
    trueCfgScale: input.true_cfg_scale ?? trueCfgScale.default,
    size,
    sizeRule: input.size_rule ?? EDIT_PARAMETERS.sizeRule.default,
    numSteps: input.sigmas?.length ?? stepsOf(input.num_inference_steps, sampler, defaults),
    sampler,
    sigmas: input.sigmas,
    guidance: input.guidance ?? input.guidance_scale ?? defaults.guidance,
    acceleration: input.acceleration ?? EDIT_PARAMETERS.acceleration.default,
    minPsnr: minPsnrOf({ acceleration: input.acceleration, minPsnr: input.min_psnr }),
    // Chosen here and not by the worker, so that another attempt at the same job draws the same image.
    seed: chosenSeed(input.seed ?? seed.default),
    numImages,
    imageLayout: input.image_layout ?? EDIT_PARAMETERS.imageLayout.default,
    format,
    outputQuality: input.output_quality,
    background: backgroundWithin(input.background, format),
    isSafetyChecked: isSafetyChecked(input.enable_safety_checker, settings.safety),
    isInlineResult: input.enable_base64_output ?? false,
    // Previews are not checked, so there are none if every result must be checked.
    isPreviewed: input.enable_preview === true && settings.safety !== "required",
    isUnchangedKept: preserve !== "off",
    preserve,
    isMaskWanted,
    loras: lorasOf(input.loras ?? [], settings),
    strength: input.strength ?? EDIT_PARAMETERS.strength.default,
    paddingMaskCrop: input.padding_mask_crop,
    maskBlur: input.mask_blur ?? EDIT_PARAMETERS.maskBlur.default,
    maskFeather: input.mask_feather ?? EDIT_PARAMETERS.maskFeather.default,
  };
}

/** Of all results in a reply: as many as one result may have at most. */
const MAX_EMBEDDED_PIXELS = EDIT_PARAMETERS.size.max ** 2;

/**
 * Keeps replies with results in base64 as small as those of one large result.
 * @param field how the caller gave the number of results
 * @throws RetouchError INVALID_PARAMETER
 */
export function checkEmbedded(field: string, numImages: number, size: JobEdit["size"]): void {
  // By the image's size, which only the worker knows, it has as many pixels as it may.
  const { max } = EDIT_PARAMETERS.size;
  const largest = { width: max, height: max };
  const { width, height } = size === "source" ? largest : (size ?? defaultSize(largest));
  if (numImages === 1 || numImages * width * height <= MAX_EMBEDDED_PIXELS) return;
  const most = MAX_EMBEDDED_PIXELS.toLocaleString("en");
  const reason = `in base64 the results may have at most ${most} pixels in all`;
  throw invalid("forbidden", { field, given: numImages, reason });
}

/** Clients spell JPEG both ways. */
export function formatOf({
  output_format: given,
  image_format: other,
}: Pick<EditInput, "output_format" | "image_format">): OutputFormat {
  const name = given ?? other ?? EDIT_PARAMETERS.format.default;
  return name === "jpg" ? "jpeg" : name;
}

/** How long a job may run, wait and be kept. */
export function policyOf(
  policy: NonNullable<JobBody["policy"]>,
  settings: InputSettings,
  { isSync }: { isSync: boolean },
): JobPolicy {
  const executionTimeout = policy.executionTimeout ?? settings.executionTimeoutMs;
  return {
    executionTimeoutMs:
      executionTimeout === undefined ? undefined : clamped(executionTimeout, EXECUTION_TIMEOUT_RANGE),
    ttlMs: clamped(policy.ttl ?? settings.ttlMs, TTL_RANGE),
    retentionMs: isSync ? settings.syncRetentionMs : settings.retentionMs,
    isLowPriority: policy.lowPriority ?? false,
  };
}

function sizeOf(
  { mask, size, width, height, size_rule: sizeRule }: EditInput,
  { minSide, maxSide }: InputSettings,
): JobEdit["size"] {
  if (size === undefined && (width !== undefined || height !== undefined)) {
    if (width === undefined || height === undefined)
      throw invalid("together", { field: "size.width", other: "size.height" });
    return { width, height };
  }
  // The default is accepted whatever the operator allows, since the caller did not choose it.
  // A mask needs a result of the image's shape.
  if (size === undefined) return mask === undefined ? EDIT_PARAMETERS.size.wireDefault : undefined;
  const word = size.trim();
  if (word === "auto") return undefined;
  if (word === "source") {
    checkSourceSize(sizeRule);
    return word;
  }
  const match = SIZE.exec(size)!;
  const sides = { width: Number(match[1]), height: Number(match[2]) };
  if (Object.values(sides).some((side) => side < minSide || side > maxSide)) {
    const given = `${sides.width}*${sides.height}`;
    const choices = `width*height, each from ${minSide} to ${maxSide}`;
    throw invalid("oneOf", { field: "size", choices, given });
  }
  return sides;
}

/** LoRAs by name alone: a path, as some clients send it, reaches no file here. */
function lorasOf(given: NonNullable<EditInput["loras"]>, { loras = {} }: InputSettings): LoraUse[] {
  return given.map(({ name, path, scale = EDIT_PARAMETERS.loras.scale.default }, index) => {
    const wanted = name ?? path;
    if (wanted === undefined) throw invalid("missing", { field: `loras[${index}].name` });
    if (!Object.hasOwn(loras, wanted)) throw unknownLora(wanted, Object.keys(loras));
    return { name: wanted, scale };
  });
}

function isSafetyChecked(wanted: boolean | undefined, policy: Config["safety"]): boolean {
  if (policy === "required" && wanted === false) {
    throw invalid("forbidden", {
      field: "isSafetyChecked",
      given: "false",
      reason: "this server checks every result",
    });
  }
  return policy !== "off" && (wanted ?? EDIT_PARAMETERS.isSafetyChecked.default);
}

function bucketOf(config: NonNullable<JobBody["s3Config"]>, isRefused: IsRefusedAddress): RequestBucket {
  const { accessId, accessSecret, bucketName, endpointUrl, objectPath } = config;
  checkUrl("s3Config.endpointUrl", endpointUrl, isRefused);
  const bucket = { accessId, accessSecret, bucketName, endpointUrl, objectPath };
  checkBucketTarget(bucket);
  return bucket;
}

function webhookOf({ webhook, webhookV2 }: JobBody, isRefused: IsRefusedAddress): string | undefined {
  return checkedWebhook(webhook === undefined ? "webhookV2" : "webhook", webhook ?? webhookV2, isRefused);
}

/** @param address clients send an empty string for none @throws RetouchError INVALID_PARAMETER about `field` */
export function checkedWebhook(
  field: string,
  address: string | undefined,
  isRefused: IsRefusedAddress,
): string | undefined {
  if (address === undefined || address === "") return undefined;
  checkUrl(field, address, isRefused);
  return address;
}

function checkUrl(field: string, address: string, isRefused: IsRefusedAddress): void {
  const url = URL.canParse(address) ? new URL(address) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol)) throw invalid("url", { field });
  if (url.username !== "" || url.password !== "") {
    throw invalid("urlLogin", { field });
  }
  checkPublic(field, url, isRefused);
}

function clamped(value: number, [min, max]: readonly [number, number]): number {
  return Math.round(Math.min(max, Math.max(min, value)));
}
