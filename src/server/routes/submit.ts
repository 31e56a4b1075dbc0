/** POST /run and /runsync: checks a request, stores its image, queues the job. */
import { randomUUID } from "node:crypto";
import type { FastifyReply, FastifyRequest } from "fastify";
import { failure, invalid, RetouchError, wordError } from "../../errors.ts";
import type { Job, NewJob } from "../../jobs/job.ts";
import { WIRE } from "../../engine/edit-parameters.ts";
import type { Size } from "../../engine/request.ts";
import { noRoomText, roomOf } from "../../engine/result-room.ts";
import { type ParsedBody, parseBody } from "../edit-input.ts";
import { takeBody } from "../body.ts";
import { findInputImage, type InputImages, keepInputImages } from "../input-image.ts";
import { withLineage } from "../lineage.ts";
import { originOf } from "../origin.ts";
import { numberInQuery, WAIT_RANGE } from "../queries.ts";
import { ErrorReply, FAILURES, JobReply, QueuedReply, RefusedInput } from "../replies.ts";
import { editInputSchema, type JobBody, jobBodySchema, SubmitHeaders, WaitQuery } from "../schemas.ts";
import { toWireJob, toWireModel } from "../wire.ts";
import type { RouteContext, TypedApp } from "./context.ts";

/** On the operation that queues edits: the model that makes them. */
const MODEL_KEYWORD = "x-model";
const IDEMPOTENCY_KEY = /^[\x20-\x7e]{1,255}$/;

export function addSubmitRoutes(app: TypedApp, context: RouteContext): void {
  const { config, jobs, longPolls } = context;
  const body = jobBodySchema(editInputSchema(config, context.model));
  const failures = { ...FAILURES, 400: RefusedInput, 409: ErrorReply };
  const shared = { headers: SubmitHeaders, body };

  app.post(
    "/run",
    {
      ...context.limits("run"),
      bodyLimit: config.runMaxBytes,
      // An invalid input gets a reply in its own format.
      attachValidation: true,
      schema: {
        summary: "Queue an edit",
        [MODEL_KEYWORD]: toWireModel(context.model),
        ...shared,
        response: { 200: QueuedReply, ...failures },
      },
    },
    async (request, reply) => {
      const job = await takeBody(request, (taken) =>
        submit(context, request, reply, taken, { isSync: false }),
      );
      return job ? { id: job.id, status: "IN_QUEUE" as const } : reply;
    },
  );

  app.post(
    "/runsync",
    {
      ...context.limits("runsync"),
      bodyLimit: config.runsyncMaxBytes,
      attachValidation: true,
      schema: {
        summary: "Queue an edit and wait for the result",
        ...shared,
        querystring: WaitQuery,
        response: { 200: JobReply, ...failures },
      },
    },
    async (request, reply) => {
      const job = await takeBody(request, (taken) =>
        submit(context, request, reply, taken, { isSync: true }),
      );
      if (job === undefined) return reply;
      const { wait } = request.query;
      const waitMs = numberInQuery(wait, { ...WAIT_RANGE, default: config.syncWaitMs });
      // A client that goes away ends the wait, not the job.
      const signal = longPolls.signalOf(reply);
      const ended = await jobs.waitForEnd(job.id, request.keyId, { waitMs, signal, submitted: job });
      return toWireJob(await context.embedded.ofJob(ended ?? job), context.addressOf);
    },
  );
}

/** @returns undefined if the request was refused: the reply is on its way, and the handler must return it */
async function submit(
  context: RouteContext,
  request: FastifyRequest,
  reply: FastifyReply,
  body: unknown,
  { isSync }: { isSync: boolean },
): Promise<Job | undefined> {
  const { validationError } = request;
  const idempotency = idempotencyOf(request, isSync ? "runsync" : "run");
  try {
    if (validationError) throw validationError;
    const parsed = parseBody(body as JobBody, context.config, context.model, {
      isSync,
      isRefusedAddress: context.isRefusedAddress,
    });
    return await queueJob(context, request, parsed, { isSync, idempotency });
  } catch (error) {
    if (!(error instanceof RetouchError) || ![400, 413].includes(error.httpStatus)) throw error;
    if (!hasInput(body)) throw error;
    // The request itself is invalid: nothing was queued, and the id stands for no job.
    const id = `${isSync ? "sync-" : ""}${randomUUID()}-u1`;
    void reply.code(400).send({ id, status: "FAILED", error: wordError(error, WIRE) });
    return undefined;
  }
}

/** Stores the images and queues the job. @throws RetouchError */
export async function queueJob(
  context: RouteContext,
  request: FastifyRequest,
  { mask, policy, webhook, call, ...parsed }: ParsedBody,
  { isSync, idempotency }: Pick<NewJob, "isSync" | "idempotency">,
): Promise<Job> {
  const { config, storage, signedUrls, examples, isRefusedAddress, jobs, checkMask } = context;
  const { keyId } = request;
  // Checked before anything is stored for the job.
  const earlier = await jobs.findRepeated(keyId, idempotency);
  if (earlier) return earlier;
  const admit = (bytes: number): Promise<void> => admitBytes(context, keyId, bytes);
  await admit(0);
  const origin = originOf(request);
  const origins = config.publicUrl === undefined ? [origin] : [config.publicUrl, origin];
  const options = { storage, signedUrls, examples, isRefusedAddress, admit, maxBytes: config.imageMaxBytes };
  const { edit, images } = await withLineage(
    { jobs, storage, keyId, find: (given) => findInputImage(options, given, origins) },
    parsed,
  );
  const { bucket, isTransparencyEdited, maskBlur } = edit;
  const admitResults = (image: Size | undefined): Promise<void> => admitAll(context, keyId, edit, image);
  const kept = await keepInputImages(
    // What goes into the caller's bucket takes no room here.
    { ...options, checkMask, admitResults: bucket ? undefined : admitResults },
    { images, mask, isTransparencyEdited, maskBlur },
    origins,
  );
  try {
    const { job, isRepeat } = await jobs.submit({
      keyId,
      isSync,
      edit: { ...edit, images: kept.images, mask: kept.mask },
      sources: kept.sources,
      policy,
      webhook,
      baseUrl: config.publicUrl ?? origin,
      call,
      idempotency,
    });
    if (isRepeat) await discard(context, kept);
    return job;
  } catch (error) {
    // The job may exist all the same, and a repetition with its idempotency key may find it: it needs its
    // image.
    const isUndecided = error instanceof RetouchError && error.code === "COMMIT_UNDECIDED";
    if (!isUndecided) await discard(context, kept);
    throw error;
  }
}

/** Checks that a key may store `bytes` more bytes. @throws RetouchError DISK_FULL, QUOTA_EXCEEDED */
export async function admitBytes(
  { freeSpace, jobs }: Pick<RouteContext, "freeSpace" | "jobs">,
  keyId: string,
  bytes: number,
): Promise<void> {
  await freeSpace.admit(bytes);
  await jobs.admitBytes(keyId, bytes);
}

/** Checks that there is room for large results. @throws RetouchError DISK_FULL, QUOTA_EXCEEDED about `size` */
async function admitAll(
  context: Pick<RouteContext, "config" | "freeSpace" | "jobs">,
  keyId: string,
  edit: ParsedBody["edit"],
  image: Size | undefined,
): Promise<void> {
  const bytes = roomOf(edit, image);
  // Its job refuses an image of too many pixels.
  const isTooLarge = image && image.width * image.height > context.config.imageMaxPixels;
  if (bytes === 0 || isTooLarge) return;
  try {
    await admitBytes(context, keyId, bytes);
  } catch (error) {
    if (!(error instanceof RetouchError)) throw error;
    const sentence = `${noRoomText(edit, image)}: ${wordError(error, WIRE)}`;
    throw new RetouchError(error.code, failure("about", { field: "size", sentence }), { cause: error });
  }
}

/** The sweeper deletes later what cannot be deleted now; the call is answered all the same. */
async function discard({ log }: RouteContext, images: InputImages): Promise<void> {
  await images.discard().catch((error: unknown) => {
    log.warn({ err: error }, "A source image without a job could not be deleted.");
  });
}

export function idempotencyOf(request: FastifyRequest, route: string): NewJob["idempotency"] {
  const key = request.headers["idempotency-key"];
  if (key === undefined) return undefined;
  if (typeof key !== "string" || !IDEMPOTENCY_KEY.test(key)) {
    throw invalid("type", { field: "Idempotency-Key", wanted: "1 to 255 printable ASCII characters" });
  }
  return { route, key, bodyHash: request.bodyHash };
}

function hasInput(body: unknown): boolean {
  const input = (body as { input?: unknown } | null | undefined)?.input;
  return typeof input === "object" && input !== null && !Array.isArray(input);
}
