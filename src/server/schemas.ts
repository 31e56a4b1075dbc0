/**
 * What clients send: names, types and ranges of the wire; with `replies.ts` the only place that has them. Validation,
 * types and the OpenAPI document all come from these two.
 */
import { type Static, Type } from "typebox";

/** The longest texts that are taken, in characters. A picture as a text is as long as its route's bodies may be. */
export const LENGTHS = {
  prompt: 4000,
  size: 40,
  loraName: 100,
  /** As of a picture's address: tokens in a query take some thousand characters, and many receivers no more. */
  url: 8192,
  accessId: 200,
  accessSecret: 1000,
  bucketName: 255,
  endpointUrl: 2048,
  objectPath: 900,
  idempotencyKey: 255,
  /** Of the texts of others' APIs that say nothing to this one. */
  ignored: 1000,
} as const;

const Text = (maxLength: number, description?: string) =>
  Type.String({ minLength: 1, maxLength, ...(description !== undefined && { description }) });

/** What clients of several generations send. Keys that are not here are ignored: clients add their own. */
export function editInputSchema({ minSide, maxSide }: { minSide: number; maxSide: number }) {
  const side = (description: string) =>
    Type.Optional(Type.Integer({ minimum: minSide, maximum: maxSide, description }));
  return Type.Object(
    {
      prompt: Type.String({ minLength: 1, maxLength: LENGTHS.prompt, description: "What to change." }),
      image: Type.Optional(
        Type.String({ minLength: 1, description: "The picture: an http(s) URL, a data URL or base64." }),
      ),
      images: Type.Optional(
        Type.Array(Type.String({ minLength: 1 }), {
          minItems: 1,
          maxItems: 1,
          description: "Another name of `image`.",
        }),
      ),
      negative_prompt: Type.Optional(
        Type.String({
          maxLength: LENGTHS.prompt,
          description: "What to steer away from; a second pass a step.",
          default: "",
        }),
      ),
      true_cfg_scale: Type.Optional(
        Type.Number({ minimum: 1, maximum: 10, default: 2, description: "Strength of the negative prompt." }),
      ),
      size: Type.Optional(
        Type.String({
          pattern: "^\\s*\\d{1,5}\\s*[*xX]\\s*\\d{1,5}\\s*$",
          maxLength: LENGTHS.size,
          default: "1024*1024",
          description: `width*height, each from ${minSide} to ${maxSide}`,
        }),
      ),
      width: side("With `height`, another form of `size`."),
      height: side("With `width`, another form of `size`."),
      num_inference_steps: Type.Optional(Type.Integer({ minimum: 1, maximum: 50, default: 28 })),
      guidance: Type.Optional(Type.Number({ minimum: 0, maximum: 10, default: 2 })),
      guidance_scale: Type.Optional(
        Type.Number({ minimum: 0, maximum: 10, description: "Another name of `guidance`." }),
      ),
      seed: Type.Optional(
        Type.Integer({
          minimum: -1,
          maximum: Number.MAX_SAFE_INTEGER,
          default: -1,
          description: "-1 chooses one.",
        }),
      ),
      output_format: Type.Optional(
        Type.Union([Type.Literal("png"), Type.Literal("jpeg"), Type.Literal("jpg")], { default: "png" }),
      ),
      image_format: Type.Optional(
        Type.Union([Type.Literal("png"), Type.Literal("jpeg"), Type.Literal("jpg")], {
          description: "Another name of `output_format`.",
        }),
      ),
      enable_safety_checker: Type.Optional(Type.Boolean({ default: true })),
      enable_base64_output: Type.Optional(
        Type.Boolean({ default: false, description: "The result as a data URL in place of an address." }),
      ),
      enable_preview: Type.Optional(
        Type.Boolean({
          default: false,
          description:
            "Small unchecked pictures beside `progress`, as data URLs; none where this server must check every result.",
        }),
      ),
      keep_unchanged: Type.Optional(
        Type.Boolean({
          default: false,
          description:
            "The picture's own pixels wherever nothing was edited, so that they stay sharp. Adds `changed_share` and `unchanged_mask` to the output, or a notice where picture and result differ in shape.",
        }),
      ),
      loras: Type.Optional(
        Type.Array(
          Type.Object({
            name: Type.Optional(Text(LENGTHS.loraName, "A LoRA that this server has.")),
            path: Type.Optional(Text(LENGTHS.loraName, "Another name of `name`.")),
            scale: Type.Optional(
              Type.Number({ minimum: -10, maximum: 10, default: 1, description: "Its strength." }),
            ),
          }),
          { maxItems: 4, default: [], description: "LoRAs on top of the model, all of them together." },
        ),
      ),
      enable_sync_mode: Type.Optional(Type.Boolean({ description: "Accepted, without effect." })),
      num_images: Type.Optional(Type.Integer({ minimum: 1, maximum: 1 })),
    },
    { additionalProperties: true },
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
          description: "http(s) URL that the finished job is posted to.",
        }),
      ),
      webhookV2: Type.Optional(
        Type.String({ maxLength: LENGTHS.url, description: "Another name of `webhook`." }),
      ),
      policy: Type.Optional(
        Type.Object(
          {
            executionTimeout: Type.Optional(
              Type.Number({ description: "Running time, milliseconds; brought into 5000..604800000." }),
            ),
            ttl: Type.Optional(
              Type.Number({
                description: "Life from submission, milliseconds; brought into 10000..604800000.",
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
            description: "A bucket for the result; kept for this job only, never shown.",
          },
        ),
      ),
    },
    { additionalProperties: true },
  );
}

export type JobBody = Static<ReturnType<typeof jobBodySchema>>;

export const EndpointParams = Type.Object({ endpoint: Type.String() });
export const JobParams = Type.Object({ endpoint: Type.String(), id: Type.String() });
export const SubmitHeaders = Type.Object({
  "idempotency-key": Type.Optional(
    Text(LENGTHS.idempotencyKey, "The same key with the same body stands for the same job."),
  ),
});
export const FileParams = Type.Object({ name: Type.String() });
export const FileQuery = Type.Object({ expires: Type.String(), signature: Type.String() });
/** Numbers in queries are brought into range, and nonsense is ignored: `queries.ts`. */
export const WaitQuery = Type.Object({ wait: Type.Optional(Type.String({ description: "Milliseconds." })) });
export const StatusQuery = Type.Object({
  ttl: Type.Optional(Type.String({ description: "Keep the result at most so long from now, milliseconds." })),
});
export const PageQuery = Type.Object({
  offset: Type.Optional(Type.String({ description: "@default 0" })),
  limit: Type.Optional(Type.String({ description: "1 to 100 @default 50" })),
});
export const UsageQuery = Type.Object({
  from: Type.Optional(Type.String({ description: "YYYY-MM-DD @default 30 days ago" })),
  to: Type.Optional(Type.String({ description: "YYYY-MM-DD @default today" })),
});
