/** The server's replies: wire names and types, for the compiler and for the OpenAPI document. */
import { type TSchema, Type } from "typebox";
import { FORMAT_NAMES, jobId } from "./parameter-schemas.ts";
import { PRECISIONS } from "../jobs/job.ts";

type Defined<Fields> = {
  [Name in keyof Fields as undefined extends Fields[Name] ? never : Name]: Fields[Name];
} & {
  [Name in keyof Fields as undefined extends Fields[Name] ? Name : never]?: Exclude<Fields[Name], undefined>;
};

/** A reply without its undefined fields, which are not sent. */
export const defined = <Fields extends object>(fields: Fields): Defined<Fields> =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Defined<Fields>;

const Share = Type.Number({ minimum: 0, maximum: 1 });
const Count = Type.Integer({ minimum: 0 });
const Id = jobId();
const SizeText = (description: string) =>
  Type.String({ pattern: "^\\d+\\*\\d+$", description: `width*height. ${description}` });
export const JobState = Type.Union([
  Type.Literal("IN_QUEUE"),
  Type.Literal("IN_PROGRESS"),
  Type.Literal("COMPLETED"),
  Type.Literal("FAILED"),
  Type.Literal("CANCELLED"),
  Type.Literal("TIMED_OUT"),
]);

/** A failure: one sentence. @param headers of the reply, as the document describes them */
const Failure = (description: string, headers?: Record<string, TSchema>) =>
  Type.Object({ error: Type.String() }, { description, ...(headers && { headers }) });
const RETRY_AFTER = { "retry-after": Type.Integer({ minimum: 1, description: "Seconds." }) };

export const ErrorReply = Failure("The error, in one sentence.");
/** What any route may reply. */
export const DEFECTS = {
  500: Failure("A bug in the server; its log has the details."),
  503: Failure(
    "The service is unavailable at the moment, or too many large bodies are arriving at once.",
    RETRY_AFTER,
  ),
};
/** What any route without an API key may reply besides its result. */
export const KEYLESS_FAILURES = {
  421: Failure("The request has no key, and its Host is not one of this server's names."),
  429: Failure("Too many calls with invalid keys.", RETRY_AFTER),
  ...DEFECTS,
};
/** What any route with an API key may reply besides its result. */
export const FAILURES = {
  400: Failure("The request is invalid; the error names what is wrong."),
  401: Failure("The API key is missing or not valid.", { "www-authenticate": Type.Literal("Bearer") }),
  404: Failure("There is no such endpoint or job for this key."),
  408: Failure("The body arrived too slowly; the connection is closed with this answer."),
  413: Failure("The body is larger than this route allows."),
  429: Failure("Too many calls, or too many waiting jobs.", RETRY_AFTER),
  ...DEFECTS,
  507: Failure("There is not enough space to store what the request needs.", RETRY_AFTER),
};
export const RefusedInput = Type.Object(
  {
    id: Type.Optional(Id),
    status: Type.Optional(Type.Literal("FAILED")),
    error: Type.String(),
  },
  { description: "The request is invalid: nothing was queued, and an id in this answer refers to no job." },
);
export const QueuedReply = Type.Object(
  { id: Id, status: JobState },
  { description: "The job is queued and waits for a worker." },
);
/** What `preserve` gives, of each result. */
const PRESERVE_FIELDS = {
  preserve_shares: Type.Optional(
    Type.Object(
      { kept: Share, carried: Share, drawn: Share },
      {
        description:
          "Shares of the image that were copied, carried over in colour and light, and drawn by the network.",
      },
    ),
  ),
  mask_url: Type.Optional(
    Type.String({ description: "URL of a PNG that shows these three as white, grey and black." }),
  ),
};
/** One of several results. Made by `wire.ts`. */
export const OutputImage = Type.Object({
  url: Type.Optional(Type.String({ description: "The image, as a URL or a data URL." })),
  seed: Type.Integer({ minimum: 0 }),
  size: SizeText("Size of the image."),
  cost: Type.Number({ minimum: 0, description: "Cost of this image." }),
  safety_score: Type.Optional(Type.Number({ minimum: 0, maximum: 1 })),
  changed_share: Type.Optional(Type.Number({ minimum: 0, maximum: 1 })),
  unchanged_mask: Type.Optional(Type.String()),
  ...PRESERVE_FIELDS,
});
/** Output of an edit: its progress while it runs, and everything else at its end. Made by `wire.ts`. */
export const Output = Type.Object({
  progress: Type.Optional(
    Type.String({
      pattern: "^\\d+/\\d+$",
      description: "Steps done while the edit runs, over all results, such as 3/28.",
    }),
  ),
  preview: Type.Optional(
    Type.String({ description: "A small preview of the unfinished image, as a data URL." }),
  ),
  image_url: Type.Optional(Type.String({ description: "The image, as a URL or a data URL." })),
  result: Type.Optional(Type.String({ description: "The same as `image_url`." })),
  images: Type.Optional(
    Type.Array(OutputImage, { description: "All images, if there are several; `image_url` is the first." }),
  ),
  cost: Type.Optional(Type.Number({ minimum: 0, description: "Cost of all results." })),
  seed: Type.Optional(Type.Integer({ minimum: 0, description: "Seed of the first image." })),
  size: Type.Optional(SizeText("Size of the image.")),
  working_size: Type.Optional(SizeText("Size at which the network drew the image.")),
  reference_size: Type.Optional(SizeText("Size at which the network saw the source.")),
  num_inference_steps: Type.Optional(Type.Integer({ minimum: 1 })),
  guidance: Type.Optional(Type.Number({ minimum: 0 })),
  acceleration: Type.Optional(
    Type.Object(
      {
        computed_steps: Type.Integer({ minimum: 0 }),
        reused_steps: Type.Integer({ minimum: 0 }),
        estimated_psnr: Type.Optional(
          Type.Number({
            description:
              "Estimated PSNR, in decibels, against the image with all steps in float32; absent if this is that image, or if nothing is known about it.",
          }),
        ),
      },
      { description: "Step counts over all results; only with `acceleration: auto`." },
    ),
  ),
  negative_prompt_used: Type.Optional(
    Type.Boolean({ description: "Whether each step had a second pass for the negative prompt." }),
  ),
  true_cfg_scale: Type.Optional(Type.Number({ minimum: 1 })),
  loras: Type.Optional(
    Type.Array(Type.Object({ name: Type.String(), scale: Type.Number() }), {
      description: "The LoRAs that were applied; absent if there were none.",
    }),
  ),
  output_format: Type.Optional(Type.Union([...FORMAT_NAMES])),
  background: Type.Optional(
    Type.Literal("transparent", { description: "Present if the image has transparency." }),
  ),
  model: Type.Optional(Type.String({ description: "Name of the checkpoint." })),
  precision: Type.Optional(
    Type.Enum([...PRECISIONS], { description: "Type of the transformer's weights in memory." }),
  ),
  safety_score: Type.Optional(
    Type.Number({
      minimum: 0,
      maximum: 1,
      description: "Score of the safety checker; absent if the image was not checked.",
    }),
  ),
  changed_share: Type.Optional(
    Type.Number({ minimum: 0, maximum: 1, description: "Share of the image that was edited." }),
  ),
  unchanged_mask: Type.Optional(
    Type.String({ description: "A small grey image, white where nothing was edited, as a data URL." }),
  ),
  ...PRESERVE_FIELDS,
  parent: Type.Optional(jobId("Id of the edit that this one continues.")),
  parent_image: Type.Optional(
    Type.Integer({ minimum: 0, description: "Which of its results was edited, counted from 0." }),
  ),
  turn: Type.Optional(
    Type.Integer({
      minimum: 2,
      description: "Number of edits since the original, including this one.",
    }),
  ),
  from_original: Type.Optional(
    Type.Literal(true, {
      description: "Present if the edit was made from the original, with all instructions.",
    }),
  ),
  has_original: Type.Optional(
    Type.Literal(true, {
      description: "Present if `from_original` was possible when the edit was submitted.",
    }),
  ),
  notices: Type.Optional(
    Type.Array(Type.String(), { description: "Remarks for the caller, one sentence each." }),
  ),
});
export const JobReply = Type.Object(
  {
    id: Id,
    status: JobState,
    delayTime: Type.Optional(
      Type.Integer({ description: "Time from submission to start, in milliseconds." }),
    ),
    executionTime: Type.Optional(Type.Integer({ description: "Time that the work took, in milliseconds." })),
    workerId: Type.Optional(Type.String()),
    retries: Type.Optional(Count),
    output: Type.Optional(Output),
    error: Type.Optional(Type.String({ description: "Why it failed, in one sentence." })),
  },
  { description: "The job as it is now." },
);
export const StreamReply = Type.Object(
  {
    id: Id,
    status: JobState,
    delayTime: Type.Optional(Type.Integer()),
    stream: Type.Array(Type.Object({ output: Output })),
  },
  { description: "What no earlier call has returned." },
);
export const PurgeReply = Type.Object(
  { removed: Count, status: Type.Literal("completed") },
  { description: "The number of jobs that were cancelled." },
);
export const HealthReply = Type.Object(
  {
    jobs: Type.Object({ completed: Count, failed: Count, inProgress: Count, inQueue: Count, retried: Count }),
    workers: Type.Object({
      idle: Count,
      initializing: Count,
      ready: Count,
      running: Count,
      throttled: Count,
      unhealthy: Count,
    }),
  },
  { description: "Counts of the whole endpoint." },
);
export const RequestsReply = Type.Object(
  {
    requests: Type.Array(
      Type.Object({
        id: Id,
        status: JobState,
        output: Type.Optional(Output),
        error: Type.Optional(Type.String()),
        startedAt: Type.Optional(Type.String()),
        completedAt: Type.Optional(Type.String()),
      }),
    ),
    total: Count,
    offset: Count,
    limit: Count,
    hasMore: Type.Boolean(),
  },
  { description: "A page of jobs." },
);
export const UsageReply = Type.Object(
  {
    from: Type.String(),
    to: Type.String(),
    is_operator: Type.Optional(
      Type.Literal(true, {
        description: "Whether the key is an operator's; the playground then has one more page.",
      }),
    ),
    days: Type.Array(
      Type.Object({ date: Type.String(), completed: Count, failed: Count, cost: Type.Number() }),
    ),
    total: Type.Object({ completed: Count, failed: Count, cost: Type.Number() }),
    price: Type.Object(
      {
        amount: Type.Number(),
        per: Type.Union([Type.Literal("image"), Type.Literal("megapixel")]),
        is_set: Type.Boolean({
          description: "Whether `RETOUCH_PRICE` was set explicitly; the playground shows costs only then.",
        }),
      },
      { description: "Price of an edit from now on; a megapixel is a million pixels of the result." },
    ),
  },
  { description: "Edits and their cost, by day and in all." },
);
export const EstimateReply = Type.Object(
  {
    fixed_ms: Type.Optional(Type.Number({ minimum: 0, description: "Of each result, whatever its steps." })),
    step_ms: Type.Optional(Type.Number({ minimum: 0, description: "Of each step of each result." })),
  },
  {
    description:
      "As the fastest worker has measured itself, in milliseconds; empty until one has. The wait for a worker is not part of it.",
  },
);
export const PlaceReply = Type.Object(
  {
    status: JobState,
    jobs_ahead: Type.Integer({ minimum: 0, description: "Waiting jobs of any key that run before it." }),
    wait_ms: Type.Optional(
      Type.Integer({
        minimum: 0,
        description: "About how long it still waits; absent until a worker has measured itself.",
      }),
    ),
  },
  { description: "Only a job that waits has others before it." },
);
export const LorasReply = Type.Object(
  { loras: Type.Array(Type.String(), { description: "Names of the LoRAs." }) },
  { description: "The LoRAs of this endpoint." },
);
export const DeliveryReply = Type.Object({
  jobId: Id,
  url: Type.String({ description: "The receiver's URL, without its query." }),
  status: Type.Union([Type.Literal("pending"), Type.Literal("delivered"), Type.Literal("failed")]),
  attempts: Count,
  createdAt: Type.String(),
  lastAttemptAt: Type.Optional(Type.String()),
  lastStatus: Type.Optional(Type.Integer()),
  lastError: Type.Optional(Type.String()),
});
export const DeliveriesReply = Type.Object(
  {
    deliveries: Type.Array(DeliveryReply),
    offset: Count,
    limit: Count,
  },
  { description: "A page of webhook deliveries, newest first." },
);

/** Bytes; OpenAPI has no other word for them. */
export const Picture = {
  description: "An image.",
  content: Object.fromEntries(
    ["image/png", "image/jpeg", "image/webp", "image/avif", "image/gif"].map((type) => [
      type,
      { schema: { type: "string", format: "binary" } },
    ]),
  ),
};
export const NotModified = { type: "null", description: "The caller's copy is current." };
export const PlainText = {
  description: "Text.",
  content: { "text/plain": { schema: { type: "string" } } },
};
export const StatusReply = Type.Object({ status: Type.String() }, { description: "All is well." });
