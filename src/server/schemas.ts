/**
 * What clients send: names, types and ranges on the wire, defined only here and in `replies.ts`. Validation,
 * types and the OpenAPI document all come from these two files.
 */
import { type Static, Type } from "typebox";
import { EDIT_PARAMETERS } from "../engine/edit-parameters.ts";
import type { ModelCard } from "../engine/model-card.ts";
import {
  type EditDefaults,
  type ImageLimits,
  parametersOfModel,
  USUAL_DEFAULTS,
} from "../engine/model-traits.ts";
import {
  booleanOf,
  choiceOf,
  formats,
  images,
  integerOf,
  integerOrAutoOf,
  lineage,
  loras,
  mask,
  modelNumberOf,
  numberAlias,
  numberOf,
  numbersOf,
  optionalStringOf,
  patternOf,
  sizes,
  stringOf,
} from "./parameter-schemas.ts";

/** Longest strings accepted, in characters. An image as a string may be as long as its route's body limit. */
export const LENGTHS = {
  /** Such as an image URL: tokens in a query take some thousand characters; many receivers accept no more. */
  url: 8192,
  accessId: 200,
  accessSecret: 1000,
  bucketName: 255,
  endpointUrl: 2048,
  objectPath: 900,
  idempotencyKey: 255,
  /** Of strings from other APIs that mean nothing to this one. */
  ignored: 1000,
} as const;

const Text = (maxLength: number, description?: string) =>
  Type.String({ minLength: 1, maxLength, ...(description !== undefined && { description }) });

/** What the model of an endpoint takes, and does where an edit does not choose. */
export interface ModelTraits extends ImageLimits {
  /** For people; unknown where only workers elsewhere have the checkpoint. */
  name?: string | undefined;
  /** What it says of itself. */
  card?: ModelCard | undefined;
  /** Whether an edit may take the sizes of the reference implementation. @default false */
  takesSizeRule?: boolean | undefined;
  /** Whether an edit can be limited by a mask. @default false */
  takesMask?: boolean | undefined;
  defaults: EditDefaults;
}

/** Those of the endpoint's own model, FLUX.1 Kontext. */
export const USUAL_TRAITS: ModelTraits = {
  minImages: 1,
  maxImages: 4,
  layouts: ["index", "offset", "stitch"],
  needsLayout: true,
  takesMask: true,
  defaults: USUAL_DEFAULTS,
};

/**
 * What clients of several generations send; the images come under one of two names, or under both. Keys not listed here
 * are ignored, since clients add their own.
 */
export function editInputSchema(
  sides: { minSide: number; maxSide: number },
  { minImages, maxImages, needsLayout, defaults }: ModelTraits,
) {
  const { prompt, negativePrompt, trueCfgScale, seed } = EDIT_PARAMETERS;
  const { numSteps, guidance } = parametersOfModel(defaults);
  return Type.Object(
    {
      prompt: stringOf(prompt),
      ...images({ maxImages, needsLayout }),
      ...lineage(),
      image_layout: choiceOf(EDIT_PARAMETERS.imageLayout),
      mask: mask(),
      strength: numberOf(EDIT_PARAMETERS.strength),
      padding_mask_crop: modelNumberOf(EDIT_PARAMETERS.paddingMaskCrop),
      mask_blur: numberOf(EDIT_PARAMETERS.maskBlur),
      mask_feather: numberOf(EDIT_PARAMETERS.maskFeather),
      prompt_2: optionalStringOf(EDIT_PARAMETERS.prompt2),
      max_sequence_length: modelNumberOf(EDIT_PARAMETERS.maxSequenceLength),
      negative_prompt: optionalStringOf(negativePrompt),
      use_empty_negative_prompt: booleanOf(EDIT_PARAMETERS.isEmptyNegativeUsed),
      true_cfg_scale: numberOf(trueCfgScale),
      ...sizes(sides),
      size_rule: choiceOf(EDIT_PARAMETERS.sizeRule),
      num_inference_steps: integerOrAutoOf(numSteps),
      sampler: choiceOf(EDIT_PARAMETERS.sampler),
      sigmas: numbersOf(EDIT_PARAMETERS.sigmas),
      guidance: numberOf(guidance),
      guidance_scale: numberAlias(guidance),
      acceleration: choiceOf(EDIT_PARAMETERS.acceleration),
      min_psnr: numberOf(EDIT_PARAMETERS.minPsnr),
      seed: integerOf(seed),
      num_images: integerOf(EDIT_PARAMETERS.numImages),
      ...formats(),
      output_quality: modelNumberOf(EDIT_PARAMETERS.outputQuality),
      background: patternOf(EDIT_PARAMETERS.background),
      enable_safety_checker: booleanOf(EDIT_PARAMETERS.isSafetyChecked),
      enable_base64_output: Type.Optional(
        Type.Boolean({
          default: false,
          description: "Whether the result is returned as a data URL instead of a URL.",
        }),
      ),
      enable_preview: Type.Optional(
        Type.Boolean({
          default: false,
          description:
            "Whether small, unchecked previews come with `progress`, as data URLs; none if this server checks every result.",
        }),
      ),
      keep_unchanged: booleanOf(
        EDIT_PARAMETERS.isUnchangedKept,
        " Adds `changed_share`, `preserve_shares` and `unchanged_mask` to the output, or a notice if the image and the result differ in shape.",
      ),
      preserve: choiceOf(EDIT_PARAMETERS.preserve),
      enable_mask_output: booleanOf(EDIT_PARAMETERS.isMaskWanted, " Adds `mask_url` to the output."),
      loras: loras(),
      enable_sync_mode: Type.Optional(
        Type.Boolean({ description: "Accepted for compatibility; has no effect." }),
      ),
    },
    {
      additionalProperties: true,
      ...(minImages > 0 && {
        anyOf: ["image", "images", "parent"].map((field) => ({ required: [field] })),
      }),
    },
  );
}

export type EditInput = Static<ReturnType<typeof editInputSchema>>;

/** The body of /run and /runsync around an input. */
export function jobBodySchema<Input extends ReturnType<typeof editInputSchema>>(input: Input) {
  return Type.Object(
    {
      input,
      webhook: Type.Optional(
        Type.String({
          maxLength: LENGTHS.url,
          description: "http(s) URL to which the finished job is posted.",
        }),
      ),
      webhookV2: Type.Optional(
        Type.String({ maxLength: LENGTHS.url, description: "Another name of `webhook`." }),
      ),
      policy: Type.Optional(
        Type.Object(
          {
            executionTimeout: Type.Optional(
              Type.Number({
                description: "Longest running time in milliseconds; clamped to 5000 to 604800000.",
              }),
            ),
            ttl: Type.Optional(
              Type.Number({
                description: "Lifetime from submission in milliseconds; clamped to 10000 to 604800000.",
              }),
            ),
            lowPriority: Type.Optional(Type.Boolean({ default: false })),
          },
          { additionalProperties: true },
        ),
      ),
      s3Config: Type.Optional(
        Type.Object(
          {
            accessId: Text(LENGTHS.accessId),
            accessSecret: Text(LENGTHS.accessSecret),
            bucketName: Text(LENGTHS.bucketName),
            endpointUrl: Text(LENGTHS.endpointUrl),
            objectPath: Type.Optional(Type.String({ maxLength: LENGTHS.objectPath })),
          },
          {
            additionalProperties: true,
            description: "An S3 bucket for the result; kept for this job only and never shown.",
          },
        ),
      ),
    },
    { additionalProperties: true },
  );
}

export type JobBody = Static<ReturnType<typeof jobBodySchema>>;

export const JobParams = Type.Object({ id: Type.String() });
export const SubmitHeaders = Type.Object({
  "idempotency-key": Type.Optional(
    Text(LENGTHS.idempotencyKey, "Repeats with the same key and the same body return the same job."),
  ),
});
export const FileParams = Type.Object({ name: Type.String() });
export const FileQuery = Type.Object({ expires: Type.String(), signature: Type.String() });
/** Numbers in queries are clamped, and nonsense is ignored: `queries.ts`. */
export const WaitQuery = Type.Object({
  wait: Type.Optional(Type.String({ description: "How long to wait at most, in milliseconds." })),
});
export const StatusQuery = Type.Object({
  ttl: Type.Optional(
    Type.String({ description: "How long to keep the result from now, at most, in milliseconds." }),
  ),
});
export const ReceiptQuery = Type.Object({
  image: Type.Optional(Type.String({ description: "Which of several results, 0 for the first. @default 0" })),
});
export const PageQuery = Type.Object({
  offset: Type.Optional(Type.String({ description: "How many to skip; 0 by default." })),
  limit: Type.Optional(Type.String({ description: "How many to list, 1 to 100; 50 by default." })),
});
export const EstimateQuery = Type.Object({
  size: Type.Optional(
    Type.String({
      description: "Of the result, width*height @default that of the image, or the model's own",
    }),
  ),
  image_size: Type.Optional(Type.String({ description: "Of the image to edit, width*height @default none" })),
  guidance: Type.Optional(Type.String({ description: "As in an edit @default 1" })),
  negative: Type.Optional(
    Type.String({ description: "`true` for an edit with a negative prompt @default false" }),
  ),
});
export const PictureBody = Type.Object({
  image: Type.String({ minLength: 1, description: "As in an edit: a URL, a data URL or base64." }),
});
export const UsageQuery = Type.Object({
  from: Type.Optional(Type.String({ description: "First day (UTC) as YYYY-MM-DD; 30 days ago by default." })),
  to: Type.Optional(Type.String({ description: "Last day (UTC) as YYYY-MM-DD; today by default." })),
});
