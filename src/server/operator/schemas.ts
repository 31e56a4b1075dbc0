/** What the routes for operators take and reply. */
import { Type } from "typebox";
import { MAX_REASON, VERDICTS } from "../../jobs/reviews.ts";
import { FAILURES as KEY_FAILURES } from "../replies.ts";
import { jobId } from "../parameter-schemas.ts";
import { DeliveryReply, JobState } from "../replies.ts";
import { PageQuery } from "../schemas.ts";

const Count = Type.Integer({ minimum: 0 });
const Bytes = Type.Integer({ minimum: 0, description: "Bytes." });
const Time = Type.String({ description: "ISO 8601." });
const Score = Type.Number({ minimum: 0, maximum: 1 });
const KeyId = Type.String({ description: "Id of an API key." });
const KeyName = Type.Optional(Type.String({ description: "Absent if the key is not in the table." }));
const Endpoint = Type.String({ description: "Id of the endpoint." });

export const FAILURES = {
  ...KEY_FAILURES,
  403: Type.Object({ error: Type.String() }, { description: "The key is not an operator's." }),
};
export const PicturePlace = Type.Object({ id: Type.String(), place: Type.String() });
export const LogQuery = Type.Object({
  ...PageQuery.properties,
  job: Type.Optional(Type.String({ description: "Id of a job @default all jobs" })),
});
export const DecisionBody = Type.Object({
  reason: Type.Optional(Type.String({ maxLength: MAX_REASON, description: "Why, for the log." })),
});

const Safety = Type.Object(
  {
    checker: Type.Object({ name: Type.String(), sha256: Type.String() }),
    threshold: Score,
    scores: Type.Array(Score, { description: "Of each result, in their order." }),
  },
  { description: "What the safety checker said." },
);

export const KeyParams = Type.Object({ id: KeyId });
export const NewKeyBody = Type.Object(
  {
    name: Type.String({ minLength: 1, maxLength: 100, description: "What to call it." }),
    safetyThreshold: Type.Optional(
      Type.Number({
        minimum: 0,
        maximum: 1,
        description: "Score from which its results are flagged @default that of the settings",
      }),
    ),
  },
  { additionalProperties: false },
);
export const CreatedKeyReply = Type.Object(
  {
    id: KeyId,
    name: Type.String(),
    prefix: Type.String(),
    safetyThreshold: Type.Optional(Score),
    key: Type.String({ description: "The key itself, which nobody can read again." }),
    webhookSecret: Type.String({ description: "Signs its webhooks." }),
  },
  { description: "The key was made." },
);
export const RevokedKeyReply = Type.Object(
  { id: KeyId, revoked: Type.Literal(true) },
  { description: "Calls with the key are refused from now on." },
);
export const KeysReply = Type.Object(
  {
    keys: Type.Array(
      Type.Object({
        id: KeyId,
        name: Type.String(),
        prefix: Type.String(),
        createdAt: Time,
        revokedAt: Type.Optional(Time),
        lastUsedAt: Type.Optional(
          Type.String({ description: "ISO 8601, to a minute; absent if never used." }),
        ),
        isOperator: Type.Optional(Type.Literal(true)),
        safetyThreshold: Type.Optional(Score),
        storedBytes: Bytes,
        completed: Type.Integer({ minimum: 0, description: "Edits of the last 30 days." }),
        failed: Count,
        cost: Type.Number({ minimum: 0 }),
      }),
    ),
    limits: Type.Object(
      {
        storedBytes: Bytes,
        maxQueued: Count,
        windowSeconds: Type.Number({ description: "In which the calls below are counted." }),
        runCalls: Count,
        runsyncCalls: Count,
        statusCalls: Count,
      },
      { description: "Of each key, by the settings; limits of calls grow with the number of workers." },
    ),
  },
  { description: "All keys, and what the settings allow each of them." },
);
export const QueueReply = Type.Object(
  {
    keys: Type.Array(
      Type.Object({
        keyId: KeyId,
        keyName: KeyName,
        endpoint: Endpoint,
        queued: Count,
        running: Count,
        held: Count,
        oldestAt: Type.Optional(Time),
      }),
    ),
  },
  { description: "Jobs that have not ended, by key and endpoint." },
);
export const WorkersReply = Type.Object(
  {
    workers: Type.Array(
      Type.Object({
        id: Type.String(),
        status: Type.String(),
        fault: Type.Optional(Type.String()),
        seenAt: Time,
        jobId: Type.Optional(jobId()),
        endpoints: Type.Array(
          Type.Object({
            endpoint: Endpoint,
            model: Type.Optional(Type.String()),
            device: Type.Optional(Type.String()),
            stepMs: Type.Optional(Type.Number({ description: "Of a step at its usual size, milliseconds." })),
            isFaulty: Type.Optional(Type.Literal(true)),
          }),
        ),
      }),
    ),
  },
  { description: "The workers that are alive." },
);
export const DiskReply = Type.Object(
  {
    disk: Type.Optional(
      Type.Object(
        { freeBytes: Bytes, totalBytes: Bytes, keptFreeBytes: Bytes },
        { description: "Of the data folder; absent where neither database nor pictures lie on it." },
      ),
    ),
    databaseBytes: Bytes,
    kinds: Type.Array(
      Type.Object({
        kind: Type.String({ description: "inputs, outputs, inline or states." }),
        files: Count,
        bytes: Bytes,
      }),
    ),
  },
  { description: "What is stored." },
);
const HeldReply = Type.Object({
  jobId: jobId(),
  keyId: KeyId,
  keyName: KeyName,
  endpoint: Endpoint,
  heldAt: Time,
  until: Type.String({ description: "When it is refused if nobody has decided, ISO 8601." }),
  prompt: Type.String(),
  safety: Safety,
  pictures: Type.Array(Type.Object({ bytes: Bytes }), { description: "Its results, by their place." }),
});
const page = { total: Count, offset: Count, limit: Count };
export const ReviewsReply = Type.Object(
  { reviews: Type.Array(HeldReply), ...page },
  { description: "Results that wait for a decision." },
);
export const DecisionReply = Type.Object(
  { jobId: jobId(), verdict: Type.Enum([...VERDICTS]) },
  { description: "The decision, which now counts." },
);
export const LogReply = Type.Object(
  {
    entries: Type.Array(
      Type.Object({
        at: Time,
        jobId: jobId(),
        keyId: KeyId,
        event: Type.String({ description: "held, approved, rejected, expired or cancelled." }),
        actor: Type.Object({ keyId: Type.Optional(KeyId), name: Type.String() }),
        reason: Type.Optional(Type.String()),
        safety: Type.Optional(Safety),
      }),
    ),
    offset: Count,
    limit: Count,
  },
  { description: "Entries of the log of reviews, the newest first." },
);
export const CourseReply = Type.Object(
  {
    id: jobId(),
    keyId: KeyId,
    keyName: KeyName,
    endpoint: Endpoint,
    status: JobState,
    isHeld: Type.Optional(Type.Literal(true, { description: "Where it waits for a review." })),
    progress: Type.Optional(Type.Object({ step: Count, of: Count })),
    safety: Type.Optional(Safety),
    course: Type.Array(
      Type.Object({
        at: Time,
        event: Type.String({
          description:
            "queued, imagesStored, started, givenBack, held, approved, retried, completed, failed, cancelled or timedOut.",
        }),
        worker: Type.Optional(Type.String()),
        attempt: Type.Optional(Count),
        reason: Type.Optional(Type.String()),
      }),
      { description: "Its last 100 events, oldest first." },
    ),
    deliveries: Type.Array(DeliveryReply, { description: "Of its webhooks, oldest first." }),
  },
  { description: "The course of a job." },
);
