/**
 * What clients of black-forest-labs' API send and read (https://docs.bfl.ai/api-reference, and the published
 * @ai-sdk/black-forest-labs). What this server cannot do is refused by name in `edit-request.ts`.
 */
import { type Static, type TSchema, Type } from "typebox";
import { EDIT_PARAMETERS } from "../../engine/edit-parameters.ts";
import { parametersOfModel } from "../../engine/model-traits.ts";
import { ASPECT_RATIO } from "../aspect-ratio.ts";
import { formats, integerOf, mask, numberOf, sizes, stringOf } from "../parameter-schemas.ts";
import { LENGTHS, type ModelTraits } from "../schemas.ts";

/** Of its clients: `input_image`, `input_image_2` and so on. */
const MAX_IMAGES = 10;
const picture = (description: string) => Type.Optional(Type.String({ minLength: 1, description }));

/** Fields not listed here have no effect, and the result says so. */
export function editSchema(sides: { minSide: number; maxSide: number }, { defaults }: ModelTraits) {
  const { numSteps, guidance } = parametersOfModel(defaults);
  const others = Object.fromEntries(
    Array.from({ length: MAX_IMAGES - 1 }, (_, index) => [
      `input_image_${index + 2}`,
      picture("A further image."),
    ]),
  ) as Record<`input_image_${number}`, ReturnType<typeof picture>>;
  const { width, height } = sizes(sides);
  return Type.Object(
    {
      prompt: stringOf(EDIT_PARAMETERS.prompt),
      input_image: picture("The image to edit: base64, a data URL or an http(s) URL."),
      ...others,
      mask: mask(),
      seed: integerOf(EDIT_PARAMETERS.seed),
      aspect_ratio: Type.Optional(
        Type.String({
          pattern: ASPECT_RATIO.pattern,
          // The refusal of a malformed one quotes this as well.
          description: "a ratio from 21:9 to 9:21, drawn at about a megapixel; without it, the image's shape",
        }),
      ),
      width,
      height,
      output_format: formats().output_format,
      steps: integerOf(numSteps),
      guidance: numberOf(guidance),
      prompt_upsampling: Type.Optional(Type.Boolean({ default: false, description: "Must be false." })),
      raw: Type.Optional(Type.Boolean({ default: false, description: "Must be false." })),
      safety_tolerance: Type.Optional(
        Type.Integer({
          minimum: 0,
          maximum: 6,
          description: "Has no effect: the operator decides what is checked.",
        }),
      ),
      webhook_url: Type.Optional(
        Type.String({
          maxLength: LENGTHS.url,
          description: "http(s) URL that the finished task is posted to.",
        }),
      ),
      webhook_secret: Type.Optional(
        Type.String({
          maxLength: LENGTHS.accessSecret,
          description: "Signs that post, in X-BFL-Signature: sha256= and the HMAC of its body in hex.",
        }),
      ),
    },
    { additionalProperties: true },
  );
}

export type EditBody = Static<ReturnType<typeof editSchema>>;

export const ModelParams = Type.Object({ model: Type.String() });
export const TaskQuery = Type.Object({ id: Type.String() });

const Id = Type.String();
export const SubmittedReply = Type.Object(
  { id: Id, polling_url: Type.String({ description: "Answers GET with the same key." }) },
  { description: "The task waits." },
);
/** Also the body of the webhook. */
export const TaskReply = Type.Object(
  {
    id: Id,
    status: Type.Union([
      Type.Literal("Pending"),
      Type.Literal("Ready"),
      Type.Literal("Content Moderated"),
      Type.Literal("Error"),
    ]),
    progress: Type.Optional(Type.Number({ minimum: 0, maximum: 1, description: "Of its steps." })),
    result: Type.Optional(
      Type.Object({
        sample: Type.String({
          description: "The image: an address that needs no key and ends after a time.",
        }),
        prompt: Type.Optional(Type.String()),
        seed: Type.Integer(),
        start_time: Type.Optional(Type.Number({ description: "Seconds since 1970." })),
        end_time: Type.Optional(Type.Number()),
        duration: Type.Optional(Type.Number({ description: "Seconds." })),
      }),
    ),
    details: Type.Optional(
      Type.Object({
        error: Type.Optional(Type.String({ description: "Why there is no result, in one sentence." })),
        notices: Type.Optional(Type.Array(Type.String(), { description: "What the caller should know." })),
      }),
    ),
  },
  { description: "The task as it is now." },
);

const Detail = (description: string, headers: Record<string, TSchema> = {}) =>
  Type.Object({ detail: Type.String() }, { description, headers });
const RETRY_AFTER = { "retry-after": Type.Integer({ minimum: 1, description: "Seconds." }) };
/** What any of these routes may reply besides its result. */
export const FAILURES = {
  401: Detail("No API key, or one that does not count.", { "www-authenticate": Type.Literal("Bearer") }),
  404: Type.Object(
    { detail: Type.String(), id: Type.Optional(Id), status: Type.Optional(Type.Literal("Task not found")) },
    { description: "No such model or task, or a task of another key." },
  ),
  429: Detail("Too many calls, or too many tasks that wait.", RETRY_AFTER),
  500: Detail("A defect of the server; its log says more."),
  503: Detail(
    "The service cannot answer now, or too many large bodies arrive at the same time.",
    RETRY_AFTER,
  ),
};
export const SUBMIT_FAILURES = {
  ...FAILURES,
  408: Detail("The body came too slowly; the connection ends with this answer."),
  409: Detail("The idempotency key was used with another body."),
  413: Detail("The body, or an image in it, is larger than this route allows."),
  422: Type.Object(
    {
      detail: Type.Array(
        Type.Object({ loc: Type.Array(Type.String()), msg: Type.String(), type: Type.String() }),
      ),
    },
    { description: "Something in the body is wrong; `loc` names it." },
  ),
  507: Detail("No room for what the call would store.", RETRY_AFTER),
};
