/**
 * What OpenAI's clients send to POST /v1/images/edits, and what they read: the names and values of OpenAI's
 * reference (https://developers.openai.com/api/reference/resources/images/methods/edit). What this server
 * cannot do is either not among the values of a field, or refused by name in `edit-request.ts`.
 */
import { anyOf } from "../../errors.ts";
import { type Static, type TSchema, Type } from "typebox";
import { EDIT_PARAMETERS } from "../../engine/edit-parameters.ts";
import type { EditDefaults, ImageLimits } from "../../engine/model-traits.ts";
import { FORMAT_NAMES, MAX_SIZE_LENGTH } from "../parameter-schemas.ts";
import { type EditInput, editInputSchema, LENGTHS, type ModelTraits, USUAL_TRAITS } from "../schemas.ts";

/**
 * Half the model's own number of steps, and for all from `high` up as many more as 50 are to 28; any other quality gets
 * the model's own.
 */
export function stepsOfQuality({ numSteps }: EditDefaults): Readonly<Record<string, number>> {
  const { max, default: usual } = EDIT_PARAMETERS.numSteps;
  const more = Math.min(max, Math.round((numSteps * max) / usual));
  return { low: Math.ceil(numSteps / 2), high: more, xhigh: more, max: more };
}

const words = (values: readonly string[], description: string) =>
  Type.Optional(
    Type.Union(
      values.map((value) => Type.Literal(value)),
      { description },
    ),
  );

/** As OpenAI has it. */
const MAX_PARTIAL_IMAGES = 3;

/** Every field except the image. Fields not listed here are ignored, as in /runsync. */
export function imageEditSchema(
  limits: { minSide: number; maxSide: number },
  model: ModelTraits = USUAL_TRAITS,
  ids: readonly string[] = [],
) {
  const {
    image: _,
    images: __,
    mask: ______,
    enable_base64_output: ___,
    enable_sync_mode: ____,
    num_images: _____,
    // Its answers have no place for what edits have to do with each other.
    parent: _______,
    parent_image: ________,
    from_original: _________,
    ...own
  } = editInputSchema(limits, model).properties;
  const { width, height } = EDIT_PARAMETERS.size.wireDefault;
  const { low, high } = stepsOfQuality(model.defaults);
  const { numSteps } = model.defaults;
  return Type.Object(
    {
      ...own,
      size: Type.Optional(
        Type.String({
          // An empty string, as forms send it, counts as absent.
          pattern: "^(?:\\s*|\\s*(?:auto|source|\\d{1,5}\\s*[*xX]\\s*\\d{1,5})\\s*)$",
          maxLength: MAX_SIZE_LENGTH,
          default: `${width}x${height}`,
          description:
            `auto (the image's shape), source (all of its pixels), or a width and a height such as 1536x1024, ` +
            `each from ${limits.minSide} to ${limits.maxSide}`,
        }),
      ),
      model: Type.Optional(
        Type.String({
          maxLength: LENGTHS.ignored,
          description:
            ids.length <= 1 ? "Any value: there is only one model." : `${anyOf(ids)}; by default the first.`,
        }),
      ),
      n: Type.Optional(
        Type.Integer({
          minimum: 1,
          maximum: EDIT_PARAMETERS.numImages.max,
          default: 1,
          description: EDIT_PARAMETERS.numImages.description,
        }),
      ),
      response_format: words(
        ["b64_json", "url"],
        "b64_json by default; url returns a URL that needs no key and expires.",
      ),
      quality: words(
        ["auto", "low", "medium", "high", "xhigh", "max", "standard"],
        `Another form of \`${EDIT_PARAMETERS.numSteps.wire}\`: ${low} for low, ${high} for high and more, ${numSteps} for the others.`,
      ),
      input_fidelity: words(
        ["high", "low"],
        "Accepted, but has no effect: the model always sees the whole image.",
      ),
      moderation: words(["auto", "low"], "Accepted, but has no effect; see `enable_safety_checker`."),
      output_compression: Type.Optional(
        Type.Integer({
          minimum: 0,
          maximum: 100,
          description: "Another form of `output_quality`; a PNG takes only 100.",
        }),
      ),
      partial_images: Type.Optional(
        Type.Integer({
          minimum: 0,
          maximum: MAX_PARTIAL_IMAGES,
          default: 0,
          description:
            "With `stream`: how many small unchecked pictures come of each result as it forms; none where this server must check every result.",
        }),
      ),
      stream: Type.Optional(Type.Boolean({ default: false, description: "Answer with server-sent events." })),
      user: Type.Optional(
        Type.String({ maxLength: LENGTHS.ignored, description: "Accepted, but not stored." }),
      ),
      safety_identifier: Type.Optional(
        Type.String({ maxLength: LENGTHS.ignored, description: "Accepted, but not stored." }),
      ),
    },
    { additionalProperties: true },
  );
}

export type ImageEditSchema = ReturnType<typeof imageEditSchema>;
/** OpenAI's fields together with our own. */
export type ImageEditFields = Static<ImageEditSchema> & EditInput;

const File = Type.String({
  format: "binary",
  description: "The image; if the model takes several, the field may be repeated.",
});
const withPicture = <Picture extends TSchema>(schema: ImageEditSchema, pictures: Record<string, Picture>) =>
  Type.Object({ ...pictures, ...schema.properties }, { additionalProperties: true });

/** In a form a list of numbers is a text, such as `1,0.5`, or none at all, which no schema of a list describes. */
const inForm = (schema: ImageEditSchema): ImageEditSchema => {
  const fields = Object.entries<TSchema>(schema.properties).map(([name, field]) => {
    const { type, items, description } = field as TSchema & {
      type?: string;
      items?: { type?: string };
      description?: string;
    };
    const isList = type === "array" && items?.type === "number";
    return [name, isList ? Type.Optional(Type.Unknown({ description: description ?? "" })) : field];
  });
  return { ...schema, properties: Object.fromEntries(fields) as ImageEditSchema["properties"] };
};

const MASK =
  "Transparent where the image may change; a mask without transparency is read as white where the image may change. Without a mask, the transparent parts of the image may change.";

const address = Type.Object({
  image_url: Type.String({ description: "An http(s) URL, a data URL or base64." }),
});

/** Both kinds of body, for the document; `edit-request.ts` checks what arrives. */
export function imageEditBodies(schema: ImageEditSchema, { minImages, maxImages }: ImageLimits) {
  const pictures = Type.Array(address, { minItems: 1, maxItems: maxImages });
  return {
    content: {
      "multipart/form-data": {
        schema: withPicture(inForm(schema), {
          image: minImages > 0 ? File : Type.Optional(File),
          mask: Type.Optional(Type.String({ format: "binary", description: MASK })),
        }),
      },
      "application/json": {
        schema: withPicture(schema, {
          images: minImages > 0 ? pictures : Type.Optional(pictures),
          mask: Type.Optional(
            Type.Object({ image_url: address.properties.image_url }, { description: MASK }),
          ),
        }),
      },
    },
  };
}

const OrNull = Type.Union([Type.String(), Type.Null()]);
/** A failure, as `errors.ts` makes it. @param headers of the reply, as the document describes them */
const Failure = (description: string, headers: Record<string, TSchema> = {}) =>
  Type.Object(
    { error: Type.Object({ message: Type.String(), type: Type.String(), param: OrNull, code: OrNull }) },
    {
      description,
      headers: { "x-should-retry": Type.Union([Type.Literal("true"), Type.Literal("false")]), ...headers },
    },
  );
const RETRY_AFTER = { "retry-after": Type.Integer({ minimum: 1, description: "Seconds." }) };

export type OpenAiFailure = Static<ReturnType<typeof Failure>>;
/** What any of these routes may reply besides its result. */
export const OPENAI_FAILURES = {
  400: Failure("The request is invalid, and `param` names what is wrong; or the result was refused."),
  401: Failure("The API key is missing or not valid.", { "www-authenticate": Type.Literal("Bearer") }),
  404: Failure("There is no such model."),
  408: Failure("The body arrived too slowly; the connection is closed with this answer."),
  413: Failure("The body is larger than this route allows."),
  429: Failure("Too many calls, or too many waiting jobs.", RETRY_AFTER),
  500: Failure("The edit failed, or the server has a bug."),
  503: Failure(
    "The service is unavailable at the moment, or too many large bodies are arriving at once.",
    RETRY_AFTER,
  ),
  507: Failure("There is not enough space to store what the request needs.", RETRY_AFTER),
};
/** What an edit may reply as well. */
export const EDIT_FAILURES = {
  ...OPENAI_FAILURES,
  409: Failure("The idempotency key was used with another body, or the job was cancelled."),
  504: Failure("The edit did not finish in time; the message names its job, which continues."),
};

const Tokens = Type.Integer({ minimum: 0 });
export const Usage = Type.Object(
  {
    input_tokens: Tokens,
    input_tokens_details: Type.Object({ text_tokens: Tokens, image_tokens: Tokens }),
    output_tokens: Tokens,
    total_tokens: Tokens,
  },
  { description: "What the network read and drew, in its own tokens; nothing is charged by them." },
);
export const ImagesReply = Type.Object(
  {
    created: Type.Integer({ description: "When the last image was finished, in seconds since 1970." }),
    data: Type.Array(
      Type.Object({
        b64_json: Type.Optional(Type.String({ description: "The image's file in base64." })),
        url: Type.Optional(Type.String({ description: "The image's URL." })),
        id: Type.String({ description: "Id of the job, for /status and /requests." }),
        seed: Type.Integer(),
        cost: Type.Number({ description: "Cost of this image." }),
      }),
    ),
    background: Type.Union([Type.Literal("transparent"), Type.Literal("opaque")]),
    output_format: Type.Union([...FORMAT_NAMES]),
    size: Type.String({ description: "Size of the images, such as 1024x1024." }),
    num_inference_steps: Type.Integer(),
    guidance: Type.Number(),
    notices: Type.Optional(
      Type.Array(Type.String(), { description: "Remarks for the caller, one sentence each." }),
    ),
    usage: Type.Optional(Usage),
  },
  { description: "The edited images." },
);
/** A stream's events are those of OpenAI; the results have the fields of `data` and of the reply around it. */
export const ImagesOrEvents = {
  description: "The results; with `stream`, as server-sent events.",
  content: {
    "application/json": { schema: ImagesReply },
    "text/event-stream": { schema: { type: "string" } },
  },
};
export const ModelReply = Type.Object(
  {
    id: Type.String(),
    object: Type.Literal("model"),
    created: Type.Integer(),
    owned_by: Type.String(),
  },
  { description: "The model." },
);
export const ModelsReply = Type.Object(
  { object: Type.Literal("list"), data: Type.Array(ModelReply) },
  { description: "All models." },
);
export const ModelParams = Type.Object({ model: Type.String() });
