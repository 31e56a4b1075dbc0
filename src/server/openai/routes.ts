/** POST /v1/images/edits and GET /v1/models: the endpoint as OpenAI's clients know one. */
import type { FastifyReply, FastifyRequest } from "fastify";
import type { Static } from "typebox";
import { sha256InTurns } from "../../sha256.ts";
import { fieldOf, invalid, recordOf, RetouchError, wordError } from "../../errors.ts";
import { costOfOne, type Job, type ResultImage } from "../../jobs/job.ts";
import { WIRE } from "../../engine/edit-parameters.ts";
import { setBodyParser, takeBody } from "../body.ts";
import { policyOf } from "../edit-input.ts";
import { parseJsonBody } from "../json-body.ts";
import { numberInQuery, WAIT_RANGE } from "../queries.ts";
import type { RouteContext, TypedApp } from "../routes/context.ts";
import { idempotencyOf, queueJob } from "../routes/submit.ts";
import { SubmitHeaders, WaitQuery } from "../schemas.ts";
import {
  bodyOfForm,
  bodyOfJson,
  createRequestReader,
  hashOfForm,
  type ImageEditBody,
  type ImageEditRequest,
} from "./edit-request.ts";
import { parseForm } from "./form.ts";
import {
  EDIT_FAILURES,
  imageEditBodies,
  imageEditSchema,
  ImagesReply,
  ModelParams,
  ModelReply,
  ModelsReply,
  OPENAI_FAILURES,
} from "./schemas.ts";

const ROUTE = "images/edits";
const FORM = /^multipart\/form-data\b/i;
/** The day on which black-forest-labs published FLUX.1 Kontext [dev]. */
const MODEL_CREATED = Date.UTC(2025, 5, 26) / 1000;

/** A model as this API has it: an endpoint, and how its edits are read. */
interface OfferedModel {
  id: string;
  context: RouteContext;
  readRequest: (body: ImageEditBody) => ImageEditRequest;
}

/** @param contexts of all endpoints; the first one is that of calls that name no model */
export function addOpenAiRoutes(app: TypedApp, contexts: readonly RouteContext[]): void {
  const [context] = contexts as [RouteContext];
  const { config, longPolls } = context;
  const ids = contexts.map((one) => one.config.endpointId);
  const schema = imageEditSchema(config, context.model, ids);
  const offered = contexts.map((one): OfferedModel => {
    const own = imageEditSchema(one.config, one.model, ids);
    return {
      id: one.config.endpointId,
      context: one,
      readRequest: createRequestReader(own, one.config, one.model),
    };
  });

  // The server's own parser would treat every body as JSON.
  setBodyParser(app, context.readBody, async (request, bytes) => {
    const contentType = contentTypeOf(request);
    const isHashed = request.headers["idempotency-key"] !== undefined;
    if (!FORM.test(contentType)) {
      if (isHashed) request.bodyHash = await sha256InTurns(bytes);
      return bodyOfJson(parseJsonBody(bytes));
    }
    const parts = await parseForm(bytes, contentType);
    if (isHashed) request.bodyHash = await hashOfForm(parts);
    return bodyOfForm(parts, schema);
  });

  app.post(
    "/images/edits",
    {
      ...context.limits("runsync"),
      bodyLimit: config.runsyncMaxBytes,
      schema: {
        summary: "Edit an image with OpenAI's API",
        headers: SubmitHeaders,
        querystring: WaitQuery,
        body: imageEditBodies(schema, {
          minImages: Math.min(...contexts.map(({ model }) => model.minImages)),
          maxImages: Math.max(...contexts.map(({ model }) => model.maxImages)),
        }),
        response: { 200: ImagesReply, ...EDIT_FAILURES },
      },
    },
    async (request, reply) => {
      const { chosen, job, isByAddress } = await takeBody(request, (body) =>
        submit(offered, request, body as ImageEditBody | undefined),
      );
      const { jobs } = chosen.context;
      const waitMs = numberInQuery(request.query.wait, { ...WAIT_RANGE, default: config.syncWaitMs });
      // A client that goes away ends the wait, not the job.
      const signal = longPolls.signalOf(reply);
      const ended = (await jobs.waitForEnd(job.id, request.keyId, { waitMs, signal, submitted: job })) ?? job;
      return ended.status === "completed"
        ? answerOf(ended, isByAddress, chosen.context)
        : answerFailure(ended, reply, chosen.id);
    },
  );

  const models = ids.map((id): Static<typeof ModelReply> => ({
    id,
    object: "model",
    created: MODEL_CREATED,
    owned_by: "retouch",
  }));
  app.get(
    "/models",
    {
      ...context.limits("read"),
      schema: { summary: "List the models", response: { 200: ModelsReply, ...OPENAI_FAILURES } },
    },
    () => ({ object: "list" as const, data: models }),
  );
  app.get(
    "/models/:model",
    {
      ...context.limits("read"),
      schema: {
        summary: "Describe a model",
        params: ModelParams,
        response: { 200: ModelReply, ...OPENAI_FAILURES },
      },
    },
    async (request, reply) => {
      const found = models.find(({ id }) => id === request.params.model);
      return found ?? refuse(reply, 404, unknownModel(ids));
    },
  );
}

/** The content type as sent: the server removes it from the headers of every request (`body.ts`). */
function contentTypeOf({ raw: { rawHeaders } }: FastifyRequest): string {
  const at = rawHeaders.findIndex((text, index) => index % 2 === 0 && text.toLowerCase() === "content-type");
  return at === -1 ? "" : rawHeaders[at + 1]!;
}

const unknownModel = (ids: readonly string[]): RetouchError =>
  invalid("about", { field: "model", sentence: `there is none but ${ids.join(", ")}.` });

/** A single model answers to every name; clients cannot leave it out. @throws RetouchError INVALID_PARAMETER */
function chosenModel(offered: readonly OfferedModel[], name: unknown): OfferedModel {
  const [first] = offered as [OfferedModel];
  if (offered.length === 1 || name === undefined) return first;
  const found = offered.find(({ id }) => id === name);
  if (found === undefined) throw unknownModel(offered.map(({ id }) => id));
  return found;
}

async function submit(
  offered: readonly OfferedModel[],
  request: FastifyRequest,
  given: ImageEditBody | undefined,
): Promise<{ chosen: OfferedModel; job: Job; isByAddress: boolean }> {
  const body = given ?? bodyOfJson(given);
  const chosen = chosenModel(offered, body.fields["model"]);
  const { context } = chosen;
  const { images, mask, edit, isByAddress } = chosen.readRequest(body);
  const policy = policyOf({}, context.config, { isSync: true });
  const idempotency = idempotencyOf(request, ROUTE);
  const parsed = { edit, images, mask, policy, webhook: undefined };
  const job = await queueJob(context, request, parsed, { isSync: true, idempotency });
  return { chosen, job, isByAddress };
}

/** Fields whose faults show when the image is decoded. */
const CALLERS: ReadonlySet<string> = new Set(["image", "mask", "background", "format"]);

/** The caller can act on a failure of the image or the result. */
function answerFailure(job: Job, reply: FastifyReply, endpointId: string): FastifyReply {
  const { id, status, error = "The edit failed unexpectedly.", failure } = job;
  if (status === "failed") {
    const isCallers = failure && (failure.code === "OUTPUT_FLAGGED" || CALLERS.has(fieldOf(failure) ?? ""));
    if (failure) reply.request.failure = failure;
    return refuse(reply, isCallers ? 400 : 500, error);
  }
  if (status === "cancelled") return refuse(reply, 409, `The job ${id} was cancelled.`);
  if (status === "timedOut") return refuse(reply, 504, error);
  return refuse(
    reply,
    504,
    `The edit continues as job ${id}; GET /v2/${endpointId}/status/${id} tells when it ends.`,
  );
}

/** `errors.ts` gives the refusal its format. */
function refuse(reply: FastifyReply, status: number, why: string | RetouchError): FastifyReply {
  if (typeof why === "string") return reply.code(status).send({ error: why });
  reply.request.failure = recordOf(why);
  return reply.code(status).send({ error: wordError(why, WIRE) });
}

async function answerOf(
  job: Job,
  isByAddress: boolean,
  { addressOf, storage }: RouteContext,
): Promise<Static<typeof ImagesReply>> {
  const result = job.result!;
  const { format, size, numSteps, guidance, hasTransparency, notices, images = [result] } = result;
  const data = await Promise.all(
    images.map(async ({ image, seed }) => {
      const key = keyOf(image);
      const facts = { id: job.id, seed, cost: costOfOne(result) };
      if (isByAddress) return Object.assign({ url: addressOf(key, job) }, facts);
      return Object.assign({ b64_json: base64Of((await storage.get(key))?.bytes) }, facts);
    }),
  );
  return {
    created: Math.floor((job.endedAt?.getTime() ?? Date.now()) / 1000),
    data,
    background: hasTransparency ? "transparent" : "opaque",
    output_format: format,
    size: `${size.width}x${size.height}`,
    num_inference_steps: numSteps,
    guidance,
    ...(notices.length > 0 && { notices }),
  };
}

/** The results of these jobs are never in a caller's bucket or a data URL. */
function keyOf(image: ResultImage): string {
  if (image.kind === "stored") return image.key;
  throw new Error(`A result is ${image.kind} where it should be stored.`);
}

function base64Of(bytes: Uint8Array | undefined): string {
  // Only a repetition under an idempotency key can come this late.
  if (bytes === undefined) throw new RetouchError("IMAGE_UNREADABLE", "The result is no longer there.");
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64");
}
