/** Predictions under /replicate/v1: the endpoints as Replicate's clients know their models. */
import type { FastifyReply, FastifyRequest } from "fastify";
import { anyOf, invalid } from "../../errors.ts";
import { isEnded, type Job } from "../../jobs/job.ts";
import { takeBody } from "../body.ts";
import { contextOf, findJob, modelNames, refuse, setNullFreeParser } from "../other-apis.ts";
import type { RouteContext, TypedApp } from "../routes/context.ts";
import { idempotencyOf, queueJob } from "../routes/submit.ts";
import { JobParams } from "../schemas.ts";
import { predictionOf } from "./answers.ts";
import { readPrediction } from "./edit-request.ts";
import {
  bodySchema,
  CREATE_FAILURES,
  CreateHeaders,
  FAILURES,
  inputSchema,
  ModelParams,
  type PredictionBody,
  PredictionReply,
} from "./schemas.ts";

/** Who its models belong to there; `retouch` is for endpoints that have no model there. */
const OWNERS: ReadonlySet<string> = new Set(["black-forest-labs", "retouch"]);
/** Clients send an empty body or `{}`. */
const CANCEL_LIMIT = 64 * 1024;
/** Seconds that `Prefer: wait` may ask for, and stands for. */
const WAIT = { min: 1, max: 60 };
const PREFER_WAIT = /(?:^|[,;\s])wait(?:\s*=\s*(\d{1,6}(?:\.\d{1,6})?))?(?=$|[,;\s])/i;

/** @param contexts of all endpoints; the first one is that of the names of FLUX.1 Kontext */
export function addReplicateRoutes(app: TypedApp, contexts: readonly RouteContext[]): void {
  const [first] = contexts as [RouteContext];
  const { config, addressOf, embedded, longPolls } = first;
  const input = inputSchema(config, first.model);
  const known = Object.keys(input.properties);
  const shown = async (job: Job) =>
    predictionOf(await embedded.ofJob(job), { addressOf, publicUrl: config.publicUrl });
  setNullFreeParser(app, first);

  const create = {
    ...first.limits("runsync"),
    bodyLimit: config.runsyncMaxBytes,
    schema: {
      headers: CreateHeaders,
      body: bodySchema(input),
      response: { 201: PredictionReply, ...CREATE_FAILURES },
    },
  };
  app.post(
    "/models/:owner/:name/predictions",
    {
      ...create,
      schema: {
        ...create.schema,
        summary: "Queue an edit, as Replicate's clients ask for it",
        params: ModelParams,
      },
    },
    async (request, reply) => {
      const { owner, name } = request.params;
      const context = OWNERS.has(owner) ? contextOf(contexts, name) : undefined;
      if (context) return created(request, reply, { context, model: `${owner}/${name}` });
      return refuse(reply, 404, unknown("model"));
    },
  );
  app.post(
    "/predictions",
    { ...create, schema: { ...create.schema, summary: "The same, where the body names the model" } },
    async (request, reply) => {
      const version = String((request.body as PredictionBody).version ?? "");
      const [owner = "", name = "", id = ""] =
        /^(?:([^/:]+)\/)?([^/:]+)(?::([^/:]+))?$/.exec(version)?.slice(1) ?? [];
      const context = owner === "" || OWNERS.has(owner) ? contextOf(contexts, name) : undefined;
      if (version === "") throw invalid("missing", { field: "version" });
      if (context === undefined || (id !== "" && owner === "")) throw unknown("version");
      return created(request, reply, { context, model: `${owner || "black-forest-labs"}/${name}` });
    },
  );

  const unknown = (field: string) => {
    const names = [...OWNERS].map((owner) => `${owner}/NAME`);
    const sentence = `there is none but ${anyOf(names)}, where NAME is ${anyOf(modelNames(contexts))}.`;
    return invalid("about", { field, sentence });
  };

  async function created(
    request: FastifyRequest,
    reply: FastifyReply,
    { context, model }: { context: RouteContext; model: string },
  ) {
    const job = await takeBody(request, (body) => {
      const parsed = readPrediction(body as PredictionBody, { model, known }, context);
      const idempotency = idempotencyOf(request, "replicate");
      return queueJob(context, request, parsed, { isSync: false, idempotency });
    });
    const waitMs = waitOf(request.headers.prefer);
    // A client that goes away ends the wait, not the job.
    const signal = longPolls.signalOf(reply);
    const wait = { waitMs, signal, submitted: job };
    const latest = waitMs > 0 ? await context.jobs.waitForEnd(job.id, request.keyId, wait) : undefined;
    const prediction = await shown(latest ?? job);
    // Replicate's own client takes anything else for the end.
    const isOpen = !isEnded((latest ?? job).status);
    return reply.code(201).send(isOpen ? { ...prediction, status: "starting" } : prediction);
  }

  app.get(
    "/predictions/:id",
    {
      ...first.limits("status"),
      schema: {
        summary: "A prediction's state",
        params: JobParams,
        response: { 200: PredictionReply, ...FAILURES },
      },
    },
    async (request, reply) => {
      const found = await findJob(contexts, request.params.id, request.keyId);
      return found ? shown(found.job) : notFound(reply);
    },
  );
  app.post(
    "/predictions/:id/cancel",
    {
      ...first.limits("cancel"),
      bodyLimit: CANCEL_LIMIT,
      schema: {
        summary: "Cancel a prediction",
        params: JobParams,
        response: { 200: PredictionReply, ...CREATE_FAILURES },
      },
    },
    async (request, reply) => {
      const { id } = request.params;
      const found = await findJob(contexts, id, request.keyId);
      const job = await found?.context.jobs.cancel(id, request.keyId);
      return job ? shown(job) : notFound(reply);
    },
  );
}

const notFound = (reply: FastifyReply): FastifyReply => refuse(reply, 404, "There is no such prediction.");

/** Milliseconds that the header asks to wait; 0 without it. */
function waitOf(prefer: string | string[] | undefined): number {
  const found = PREFER_WAIT.exec([prefer ?? ""].flat().join(","));
  if (!found) return 0;
  const seconds = found[1] === undefined ? WAIT.max : Number(found[1]);
  return Math.min(WAIT.max, Math.max(WAIT.min, seconds)) * 1000;
}
