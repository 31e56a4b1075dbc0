/** POST /bfl/v1/{model} and GET /bfl/v1/get_result: the endpoints as black-forest-labs' clients know their models. */
import { anyOf, invalid } from "../../errors.ts";
import { takeBody } from "../body.ts";
import { baseOf, contextOf, findJob, modelNames, refuse, setNullFreeParser } from "../other-apis.ts";
import type { RouteContext, TypedApp } from "../routes/context.ts";
import { idempotencyOf, queueJob } from "../routes/submit.ts";
import { SubmitHeaders } from "../schemas.ts";
import { PREFIX, taskOf } from "./answers.ts";
import { readEdit } from "./edit-request.ts";
import {
  type EditBody,
  editSchema,
  FAILURES,
  ModelParams,
  SUBMIT_FAILURES,
  SubmittedReply,
  TaskQuery,
  TaskReply,
} from "./schemas.ts";

/** @param contexts of all endpoints; the first one is that of the names of FLUX.1 Kontext */
export function addBflRoutes(app: TypedApp, contexts: readonly RouteContext[]): void {
  const [first] = contexts as [RouteContext];
  const { config, addressOf, embedded } = first;
  const schema = editSchema(config, first.model);
  const known = Object.keys(schema.properties);
  setNullFreeParser(app, first);

  app.post(
    "/:model",
    {
      ...first.limits("run"),
      bodyLimit: config.runsyncMaxBytes,
      schema: {
        summary: "Queue an edit, as clients of black-forest-labs ask for it",
        params: ModelParams,
        headers: SubmitHeaders,
        body: schema,
        response: { 200: SubmittedReply, ...SUBMIT_FAILURES },
      },
    },
    async (request, reply) => {
      const { model } = request.params;
      const context = contextOf(contexts, model);
      if (context === undefined) {
        const sentence = `there is none but ${anyOf(modelNames(contexts))}.`;
        return refuse(reply, 404, invalid("about", { field: "model", sentence }));
      }
      const job = await takeBody(request, (body) => {
        const parsed = readEdit(body as EditBody, known, context);
        const idempotency = idempotencyOf(request, "bfl");
        return queueJob(context, request, parsed, { isSync: false, idempotency });
      });
      const base = baseOf(job, config.publicUrl);
      return {
        id: job.id,
        polling_url: `${base}${PREFIX}/get_result?id=${encodeURIComponent(job.id)}`,
      };
    },
  );

  app.get(
    "/get_result",
    {
      ...first.limits("status"),
      schema: {
        summary: "A task's state",
        querystring: TaskQuery,
        response: { 200: TaskReply, ...FAILURES },
      },
    },
    async (request, reply) => {
      const { id = "" } = request.query as { id?: unknown };
      const found = await findJob(contexts, String(id), request.keyId);
      if (found) return taskOf(await embedded.ofJob(found.job), addressOf);
      const status = "Task not found" as const;
      return reply.code(404).send({ id: String(id).slice(0, 100), status, detail: status });
    },
  );
}
