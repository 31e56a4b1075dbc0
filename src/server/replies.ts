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

export const ErrorReply = Failure("The sentence says why.");
/** What any route may reply. */
export const DEFECTS = {
  500: Failure("A defect of the server; its log says more."),
  503: Failure(
    "The service cannot answer now, or too many large bodies arrive at the same time.",
    RETRY_AFTER,
  ),
};
/** What any route without an API key may reply besides its result. */
export const KEYLESS_FAILURES = {
  421: Failure("The Host of the call is none of this server's, and there is no key."),
  429: Failure("Too many calls with wrong keys.", RETRY_AFTER),
  ...DEFECTS,
};
/** What any route with an API key may reply besides its result. */
export const FAILURES = {
  400: Failure("Something in the call is wrong; the sentence names it."),
  401: Failure("No API key, or one that does not count.", { "www-authenticate": Type.Literal("Bearer") }),
  404: Failure("No such endpoint or job, or one of another key."),
  408: Failure("The body came too slowly; the connection ends with this answer."),
  413: Failure("The body is larger than this route allows."),
  429: Failure("Too many calls, or too many jobs that wait.", RETRY_AFTER),
  ...DEFECTS,
  507: Failure("No room for what the call would store.", RETRY_AFTER),
};
export const RefusedInput = Type.Object(
  {
    id: Type.Optional(Id),
    status: Type.Optional(Type.Literal("FAILED")),
    error: Type.String(),
  },
  { description: "Something in the call is wrong: nothing was queued, and an id here stands for nothing." },
);
export const QueuedReply = Type.Object(
  { id: Id, status: JobState },
  { description: "The job waits for a worker." },
);
/** What `preserve` gives, of each result. */
const PRESERVE_FIELDS = {
  preserve_shares: Type.Optional(
    Type.Object(
      { kept: Share, carried: Share, drawn: Share },
      {
        description:
          "Of the image: copied, carried over from it in colour and light, and drawn by the network.",
      },
    ),
  ),
  mask_url: Type.Optional(
    Type.String({ description: "Address of a PNG that shows these shares as white, grey and black." }),
  ),
};
/** One of several results. Made by `wire.ts`. */
export const OutputImage = Type.Object({
  url: Type.Optional(Type.String({ description: "The image: an address or a data URL." })),
  seed: Type.Integer({ minimum: 0 }),
  size: SizeText("Of the image."),
  cost: Type.Number({ minimum: 0, description: "Of this one." }),
  safety_score: Type.Optional(Type.Number({ minimum: 0, maximum: 1 })),
  changed_share: Type.Optional(Type.Number({ minimum: 0, maximum: 1 })),
  unchanged_mask: Type.Optional(Type.String()),
  ...PRESERVE_FIELDS,
});
/** Output of an edit: its progress while it runs, and everything else at its end. Made by `wire.ts`. */
export const Output = Type.Object({
  progress: Type.Optional(
    Type.String({ pattern: "^\\d+/\\d+$", description: "Steps, while it runs, over all results: 3/28." }),
  ),
  preview: Type.Optional(Type.String({ description: "A small image as it forms, as a data URL." })),
  image_url: Type.Optional(Type.String({ description: "The image: an address or a data URL." })),
  result: Type.Optional(Type.String({ description: "The same as `image_url`." })),
  images: Type.Optional(
    Type.Array(OutputImage, { description: "All of them, if there are several; `image_url` is the first." }),
  ),
  cost: Type.Optional(Type.Number({ minimum: 0, description: "Of all results." })),
  seed: Type.Optional(Type.Integer({ minimum: 0, description: "Of the first." })),
  size: Type.Optional(SizeText("Of the image.")),
  working_size: Type.Optional(SizeText("At which the network drew it.")),
  reference_size: Type.Optional(SizeText("At which the network saw the source.")),
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
              "Decibels to the picture of all steps in float32; absent where it is that picture, or where nothing is known of it.",
          }),
        ),
      },
      { description: "Over all results, with `acceleration: auto`; otherwise absent." },
    ),
  ),
  negative_prompt_used: Type.Optional(
    Type.Boolean({ description: "Whether there was a second pass per step." }),
  ),
  true_cfg_scale: Type.Optional(Type.Number({ minimum: 1 })),
  loras: Type.Optional(
    Type.Array(Type.Object({ name: Type.String(), scale: Type.Number() }), {
      description: "Those that were in effect; absent without any.",
    }),
  ),
  output_format: Type.Optional(Type.Union([...FORMAT_NAMES])),
  background: Type.Optional(
    Type.Literal("transparent", { description: "Where the image has transparency; otherwise absent." }),
  ),
  model: Type.Optional(Type.String({ description: "Name of the checkpoint." })),
  precision: Type.Optional(
    Type.Enum([...PRECISIONS], { description: "What the weights of the transformer are in memory." }),
  ),
  safety_score: Type.Optional(Type.Number({ minimum: 0, maximum: 1, description: "Where it was checked." })),
  changed_share: Type.Optional(
    Type.Number({ minimum: 0, maximum: 1, description: "Of the image, that was edited." }),
  ),
  unchanged_mask: Type.Optional(
    Type.String({ description: "A small grey image, white where nothing was edited, as a data URL." }),
  ),
  ...PRESERVE_FIELDS,
  parent: Type.Optional(jobId("The id of the edit that this one continues.")),
  parent_image: Type.Optional(Type.Integer({ minimum: 0, description: "Which of its results, from 0." })),
  turn: Type.Optional(
    Type.Integer({
      minimum: 2,
      description: "How many edits there have been since the original, with this one.",
    }),
  ),
  from_original: Type.Optional(
    Type.Literal(true, { description: "Where it was made from the original, with the instructions of all." }),
  ),
  has_original: Type.Optional(
    Type.Literal(true, { description: "Where `from_original` was possible when it was submitted." }),
  ),
  notices: Type.Optional(Type.Array(Type.String(), { description: "What the caller should know." })),
});
export const JobReply = Type.Object(
  {
    id: Id,
    status: JobState,
    delayTime: Type.Optional(Type.Integer({ description: "From submission to the start, milliseconds." })),
    executionTime: Type.Optional(Type.Integer({ description: "Of the work, milliseconds." })),
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
  { description: "What no call has taken yet." },
);
export const PurgeReply = Type.Object(
  { removed: Count, status: Type.Literal("completed") },
  { description: "How many were cancelled." },
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
  { description: "Of the whole endpoint." },
);
export const RequestsReply = Type.Object({
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
});
export const UsageReply = Type.Object({
  from: Type.String(),
  to: Type.String(),
  is_operator: Type.Optional(
    Type.Literal(true, {
      description: "Where the key is an operator's; the playground then has a page more.",
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
        description: "Whether `RETOUCH_PRICE` was set; the playground shows no other cost.",
      }),
    },
    { description: "Of an edit from now on; a megapixel is a million pixels of the result." },
  ),
});
export const LorasReply = Type.Object({ loras: Type.Array(Type.String(), { description: "Their names." }) });
export const DeliveryReply = Type.Object({
  jobId: Id,
  url: Type.String({ description: "Without its query." }),
  status: Type.Union([Type.Literal("pending"), Type.Literal("delivered"), Type.Literal("failed")]),
  attempts: Count,
  createdAt: Type.String(),
  lastAttemptAt: Type.Optional(Type.String()),
  lastStatus: Type.Optional(Type.Integer()),
  lastError: Type.Optional(Type.String()),
});
export const DeliveriesReply = Type.Object({
  deliveries: Type.Array(DeliveryReply),
  offset: Count,
  limit: Count,
});

/** Bytes; OpenAPI has no other word for them. */
export const Picture = {
  description: "An image.",
  content: Object.fromEntries(
    ["image/png", "image/jpeg", "image/webp", "image/avif"].map((type) => [
      type,
      { schema: { type: "string", format: "binary" } },
    ]),
  ),
};
export const NotModified = { type: "null", description: "The copy is still good." };
export const PlainText = {
  description: "Text.",
  content: { "text/plain": { schema: { type: "string" } } },
};
export const StatusReply = Type.Object({ status: Type.String() });
