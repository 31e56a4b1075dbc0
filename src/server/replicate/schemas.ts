/**
 * What clients of Replicate's API send and read (https://replicate.com/docs/reference/http, the published replicate and
 * @ai-sdk/replicate): predictions, whose input has the names of black-forest-labs/flux-kontext-dev there, and ours.
 */
import { type Static, type TSchema, Type } from "typebox";
import { EDIT_PARAMETERS } from "../../engine/edit-parameters.ts";
import { MATCH_OR_RATIO } from "../aspect-ratio.ts";
import { editInputSchema, LENGTHS, type ModelTraits } from "../schemas.ts";

const picture = (description: string) => Type.Optional(Type.String({ minLength: 1, description }));
const flag = (description: string) => Type.Optional(Type.Boolean({ description }));
/** Of its clients: `input_image`, `input_image_2` and so on. */
const MAX_IMAGES = 8;
export const EVENTS = ["start", "output", "logs", "completed"] as const;
export const STATUSES = ["starting", "processing", "succeeded", "failed", "canceled"] as const;

/** Fields not listed here have no effect, and the job says so. */
export function inputSchema(sides: { minSide: number; maxSide: number }, model: ModelTraits) {
  const {
    enable_base64_output: _,
    enable_sync_mode: __,
    // Its answers have no place for these.
    parent: ___,
    parent_image: ____,
    from_original: _____,
    enable_preview: ______,
    ...own
  } = editInputSchema(sides, model).properties;
  const others = Object.fromEntries(
    Array.from({ length: MAX_IMAGES - 1 }, (_, index) => [
      `input_image_${index + 2}`,
      picture("A further image."),
    ]),
  ) as Record<`input_image_${number}`, ReturnType<typeof picture>>;
  const { numImages, loras } = EDIT_PARAMETERS;
  return Type.Object(
    {
      ...own,
      input_image: picture("Another name of `image`."),
      ...others,
      input_images: Type.Optional(
        Type.Array(Type.String({ minLength: 1 }), {
          minItems: 1,
          maxItems: model.maxImages,
          description: "Another name of `images`.",
        }),
      ),
      aspect_ratio: Type.Optional(
        Type.String({
          pattern: MATCH_OR_RATIO.pattern,
          // The refusal of a malformed one quotes this as well.
          description: "match_input_image, or a ratio from 21:9 to 9:21, drawn at about a megapixel",
        }),
      ),
      num_outputs: Type.Optional(
        Type.Integer({
          minimum: 1,
          maximum: numImages.max,
          default: 1,
          description: "Another name of `num_images`.",
        }),
      ),
      disable_safety_checker: flag("The opposite of `enable_safety_checker`."),
      go_fast: flag("Has no effect; see `acceleration`."),
      lora_weights: Type.Optional(
        Type.String({ maxLength: LENGTHS.url, description: "The name of one of this server's LoRAs." }),
      ),
      lora_strength: Type.Optional(
        Type.Number({
          minimum: loras.scale.min,
          maximum: loras.scale.max,
          default: loras.scale.default,
          description: "Of `lora_weights`.",
        }),
      ),
    },
    { additionalProperties: true },
  );
}

export type PredictionInput = Static<ReturnType<typeof inputSchema>>;

export function bodySchema(input: ReturnType<typeof inputSchema>) {
  return Type.Object(
    {
      input,
      version: Type.Optional(
        Type.String({
          maxLength: LENGTHS.ignored,
          description: "An endpoint's id, or OWNER/NAME, with or without a version after a colon.",
        }),
      ),
      webhook: Type.Optional(
        Type.String({
          maxLength: LENGTHS.url,
          description: "http(s) URL that the ended prediction is posted to.",
        }),
      ),
      webhook_events_filter: Type.Optional(
        Type.Array(Type.Enum([...EVENTS]), {
          maxItems: EVENTS.length,
          description: "Without completed, nothing is posted: there are no other events.",
        }),
      ),
      stream: flag("Has no effect: an image is not streamed."),
    },
    { additionalProperties: true },
  );
}

export type PredictionBody = Static<ReturnType<typeof bodySchema>>;

export const ModelParams = Type.Object({ owner: Type.String(), name: Type.String() });
export const CreateHeaders = Type.Object({
  "idempotency-key": Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: LENGTHS.idempotencyKey,
      description: "The same key with the same body stands for the same prediction.",
    }),
  ),
  prefer: Type.Optional(
    Type.String({
      description: "wait, or wait=SECONDS from 1 to 60: the answer waits for the end.",
    }),
  ),
});

const Urls = Type.Object({ get: Type.String(), cancel: Type.String() });
/** Also the body of the webhook. */
export const PredictionReply = Type.Object(
  {
    id: Type.String(),
    model: Type.String(),
    version: Type.String(),
    status: Type.Enum([...STATUSES]),
    input: Type.Record(Type.String(), Type.Unknown(), {
      description: "Without pictures of the call itself.",
    }),
    output: Type.Optional(
      Type.Union([Type.String(), Type.Array(Type.String())], {
        description: "The image's address, or those of several; they need no key and end after a time.",
      }),
    ),
    error: Type.Optional(Type.String({ description: "Why it failed, in one sentence." })),
    logs: Type.String({ description: "Progress while it runs, and then what the caller should know." }),
    created_at: Type.String(),
    started_at: Type.Optional(Type.String()),
    completed_at: Type.Optional(Type.String()),
    data_removed: Type.Boolean(),
    source: Type.Literal("api"),
    metrics: Type.Optional(
      Type.Object({
        predict_time: Type.Number({ description: "Seconds of the work." }),
        total_time: Type.Number({ description: "Seconds since it was created." }),
      }),
    ),
    urls: Urls,
  },
  { description: "The prediction as it is now." },
);

const problem = { title: Type.String(), detail: Type.String(), status: Type.Integer() };
const Problem = (description: string, headers: Record<string, TSchema> = {}) =>
  Type.Object(problem, { description, headers });
const RETRY_AFTER = { "retry-after": Type.Integer({ minimum: 1, description: "Seconds." }) };
/** What any of these routes may reply besides its result. */
export const FAILURES = {
  401: Problem("No API key, or one that does not count.", { "www-authenticate": Type.Literal("Bearer") }),
  404: Problem("No such model or prediction, or a prediction of another key."),
  429: Problem("Too many calls, or too many predictions that wait.", RETRY_AFTER),
  500: Problem("A defect of the server; its log says more."),
  503: Problem(
    "The service cannot answer now, or too many large bodies arrive at the same time.",
    RETRY_AFTER,
  ),
};
export const CREATE_FAILURES = {
  ...FAILURES,
  408: Problem("The body came too slowly; the connection ends with this answer."),
  409: Problem("The idempotency key was used with another body."),
  413: Problem("The body, or an image in it, is larger than this route allows."),
  422: Type.Object(
    {
      ...problem,
      invalid_fields: Type.Optional(
        Type.Array(Type.Object({ type: Type.String(), field: Type.String(), description: Type.String() })),
      ),
    },
    { description: "Something in the body is wrong; `invalid_fields` names it." },
  ),
  507: Problem("No room for what the call would store.", RETRY_AFTER),
};
