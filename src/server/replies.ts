/** What the server answers: the wire's names and types, for the compiler and for the OpenAPI document. */
import { type Static, type TSchema, Type } from "typebox";

/** Of replies: a field that is not sent where it is undefined. */
const Omittable = <Schema extends TSchema>(schema: Schema) =>
  Type.Optional(Type.Unsafe<Static<Schema> | undefined>(schema));
const AnyObject = Type.Record(Type.String(), Type.Unknown());
const Count = Type.Integer({ minimum: 0 });
const Id = Type.String({ pattern: "^[A-Za-z0-9_-]{1,100}$" });
export const JobState = Type.Union([
  Type.Literal("IN_QUEUE"),
  Type.Literal("IN_PROGRESS"),
  Type.Literal("COMPLETED"),
  Type.Literal("FAILED"),
  Type.Literal("CANCELLED"),
  Type.Literal("TIMED_OUT"),
]);

export const ErrorReply = Type.Object({ error: Type.String() });
/** What any route with an API key may answer besides its result. */
export const FAILURES = {
  400: ErrorReply,
  401: ErrorReply,
  404: ErrorReply,
  413: ErrorReply,
  429: ErrorReply,
  500: ErrorReply,
  503: ErrorReply,
};
export const RefusedInput = Type.Object({
  id: Omittable(Id),
  status: Omittable(Type.Literal("FAILED")),
  error: Type.String(),
});
export const QueuedReply = Type.Object({ id: Id, status: JobState });
export const JobReply = Type.Object({
  id: Id,
  status: JobState,
  delayTime: Omittable(Type.Integer({ description: "From submission to the start, milliseconds." })),
  executionTime: Omittable(Type.Integer({ description: "Of the work, milliseconds." })),
  workerId: Omittable(Type.String()),
  retries: Omittable(Count),
  output: Omittable(AnyObject),
  error: Omittable(Type.String()),
});
export const StreamReply = Type.Object({
  id: Id,
  status: JobState,
  delayTime: Omittable(Type.Integer()),
  stream: Type.Array(Type.Object({ output: AnyObject })),
});
export const PurgeReply = Type.Object({ removed: Count, status: Type.Literal("completed") });
export const HealthReply = Type.Object({
  jobs: Type.Object({ completed: Count, failed: Count, inProgress: Count, inQueue: Count, retried: Count }),
  workers: Type.Object({
    idle: Count,
    initializing: Count,
    ready: Count,
    running: Count,
    throttled: Count,
    unhealthy: Count,
  }),
});
export const RequestsReply = Type.Object({
  requests: Type.Array(
    Type.Object({
      id: Id,
      status: JobState,
      output: Omittable(AnyObject),
      error: Omittable(Type.String()),
      startedAt: Omittable(Type.String()),
      completedAt: Omittable(Type.String()),
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
  days: Type.Array(
    Type.Object({ date: Type.String(), completed: Count, failed: Count, cost: Type.Number() }),
  ),
  total: Type.Object({ completed: Count, failed: Count, cost: Type.Number() }),
  price: Type.Object(
    { amount: Type.Number(), per: Type.Union([Type.Literal("image"), Type.Literal("megapixel")]) },
    { description: "Of an edit from now on; a megapixel is a million pixels of the result." },
  ),
});
export const DeliveryReply = Type.Object({
  jobId: Id,
  url: Type.String({ description: "Without its query." }),
  status: Type.Union([Type.Literal("pending"), Type.Literal("delivered"), Type.Literal("failed")]),
  attempts: Count,
  createdAt: Type.String(),
  lastAttemptAt: Omittable(Type.String()),
  lastStatus: Omittable(Type.Integer()),
  lastError: Omittable(Type.String()),
});
export const DeliveriesReply = Type.Object({
  deliveries: Type.Array(DeliveryReply),
  offset: Count,
  limit: Count,
});

/** Bytes; OpenAPI has no other word for them. */
export const Picture = Type.Unsafe<Uint8Array>({
  description: "A picture.",
  content: Object.fromEntries(
    ["image/png", "image/jpeg"].map((type) => [type, { schema: { type: "string", format: "binary" } }]),
  ),
});
export const NotModified = Type.Unsafe<undefined>({ type: "null", description: "The copy is still good." });
export const PlainText = Type.Unsafe<string>({
  description: "Text.",
  content: { "text/plain": { schema: { type: "string" } } },
});
export const StatusReply = Type.Object({ status: Type.String() });
