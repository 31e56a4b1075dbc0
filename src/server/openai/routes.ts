/** POST /v1/images/edits and GET /v1/models: the endpoint as OpenAI's clients know one. */
import type { FastifyReply, FastifyRequest } from "fastify";
import type { Static } from "typebox";
import { sha256InTurns } from "../../sha256.ts";
import { invalid, recordOf, type RetouchError, wordError } from "../../errors.ts";
import type { Job } from "../../jobs/job.ts";
import { WIRE } from "../../engine/edit-parameters.ts";
import { setBodyParser, takeBody } from "../body.ts";
import { policyOf } from "../edit-input.ts";
import { parseJsonBody } from "../json-body.ts";
import { numberInQuery, WAIT_RANGE } from "../queries.ts";
import type { RouteContext, TypedApp } from "../routes/context.ts";
import { idempotencyOf, queueJob } from "../routes/submit.ts";
import { SubmitHeaders, WaitQuery } from "../schemas.ts";
import { endOf, imagesReply } from "./answers.ts";
import {
  type AnswerForm,
  bodyOfForm,
  bodyOfJson,
  createRequestReader,
  hashOfForm,
  type ImageEditBody,
  type ImageEditRequest,
} from "./edit-request.ts";
import { errorsOf } from "./errors.ts";
import { parseForm } from "./form.ts";
import {
  EDIT_FAILURES,
  imageEditBodies,
  imageEditSchema,
  ImagesOrEvents,
  ModelParams,
  ModelReply,
  ModelsReply,
  OPENAI_FAILURES,
} from "./schemas.ts";
import { streamEdit } from "./stream.ts";

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
  const errorOf = errorsOf(schema);
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
        response: { 200: ImagesOrEvents, ...EDIT_FAILURES },
      },
    },
    async (request, reply) => {
      const { chosen, job, form } = await takeBody(request, (body) =>
        submit(offered, request, body as ImageEditBody | undefined),
      );
      if (form.isStreamed) return streamEdit({ ...chosen, job, form, errorOf }, request, reply);
      const { jobs } = chosen.context;
      const waitMs = numberInQuery(request.query.wait, { ...WAIT_RANGE, default: config.syncWaitMs });
      // A client that goes away ends the wait, not the job.
      const signal = longPolls.signalOf(reply);
      const ended = (await jobs.waitForEnd(job.id, request.keyId, { waitMs, signal, submitted: job })) ?? job;
      if (ended.status === "completed") return imagesReply(ended, form, chosen.context);
      const { status, sentence, failure } = endOf(ended, chosen.id);
      if (failure) request.failure = failure;
      return refuse(reply, status, sentence);
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
): Promise<{ chosen: OfferedModel; job: Job; form: AnswerForm }> {
  const body = given ?? bodyOfJson(given);
  const chosen = chosenModel(offered, body.fields["model"]);
  const { context } = chosen;
  const { images, mask, edit, form } = chosen.readRequest(body);
  const policy = policyOf({}, context.config, { isSync: true });
  const idempotency = idempotencyOf(request, ROUTE);
  const parsed = { edit, images, mask, policy, webhook: undefined };
  const job = await queueJob(context, request, parsed, { isSync: true, idempotency });
  return { chosen, job, form };
}

/** `errors.ts` gives the refusal its format. */
function refuse(reply: FastifyReply, status: number, why: string | RetouchError): FastifyReply {
  if (typeof why === "string") return reply.code(status).send({ error: why });
  reply.request.failure = recordOf(why);
  return reply.code(status).send({ error: wordError(why, WIRE) });
}
