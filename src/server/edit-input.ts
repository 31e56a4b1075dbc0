/** Turns a body that fits its schema into a job: aliases, defaults, and rules that span several fields. */
import type { Config } from "../config/settings.ts";
import { invalid } from "../errors.ts";
import type { JobEdit, JobImages, JobPolicy, RequestBucket } from "../jobs/job.ts";
import type { GivenImage } from "./input-image.ts";
import { EDIT_PARAMETERS } from "../engine/edit-parameters.ts";
import { checkImageCount, checkSizeRule } from "../engine/model-traits.ts";
import {
  checkMaskWanted,
  chosenSeed,
  type LoraUse,
  preserveOf,
  unknownLora,
  checkSourceSize,
} from "../engine/request.ts";
import { checkBucketTarget } from "../storage/bucket-target.ts";
import { checkPublic, type IsRefusedAddress } from "./public-address.ts";
import type { EditInput, JobBody, ModelTraits } from "./schemas.ts";

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
  policy: JobPolicy;
  webhook: string | undefined;
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
  const images = [input.image ?? input.images ?? []].flat();
  checkImageCount(images.length, model);
  return {
    images,
    edit: { ...edit, bucket: body.s3Config && bucketOf(body.s3Config, isRefusedAddress) },
    policy: policyOf(policy, settings, { isSync }),
    webhook: webhookOf(body, isRefusedAddress),
  };
}

/** An edit with every default filled in. @throws RetouchError INVALID_PARAMETER */
export function editOf(
  input: EditInput,
  settings: InputSettings,
  { defaults, takesSizeRule }: Pick<ModelTraits, "defaults" | "takesSizeRule">,
): Omit<JobEdit, keyof JobImages> {
  const { negativePrompt, trueCfgScale, seed, format } = EDIT_PARAMETERS;
  checkSizeRule(input.size_rule, takesSizeRule);
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
    size: sizeOf(input, settings),
    sizeRule: input.size_rule ?? EDIT_PARAMETERS.sizeRule.default,
    numSteps: input.sigmas?.length ?? input.num_inference_steps ?? defaults.numSteps,
    sigmas: input.sigmas,
    guidance: input.guidance ?? input.guidance_scale ?? defaults.guidance,
    // Chosen here and not by the worker, so that another attempt at the same job draws the same image.
    seed: chosenSeed(input.seed ?? seed.default),
    format: (input.output_format ?? input.image_format ?? format.default) === "png" ? "png" : "jpeg",
    isSafetyChecked: isSafetyChecked(input.enable_safety_checker, settings.safety),
    isInlineResult: input.enable_base64_output ?? false,
    // Previews are not checked, so there are none if every result must be checked.
    isPreviewed: input.enable_preview === true && settings.safety !== "required",
    isUnchangedKept: preserve !== "off",
    preserve,
    isMaskWanted,
    loras: lorasOf(input.loras ?? [], settings),
  };
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
  { size, width, height, size_rule: sizeRule }: EditInput,
  { minSide, maxSide }: InputSettings,
): JobEdit["size"] {
  if (size === undefined && (width !== undefined || height !== undefined)) {
    if (width === undefined || height === undefined)
      throw invalid("together", { field: "size.width", other: "size.height" });
    return { width, height };
  }
  // The default is accepted whatever the operator allows, since the caller did not choose it.
  if (size === undefined) return EDIT_PARAMETERS.size.wireDefault;
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
  const field = webhook === undefined ? "webhookV2" : "webhook";
  // Clients send an empty string for none.
  const address = webhook ?? webhookV2;
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
